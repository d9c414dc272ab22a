// A headless Chromium, driven by its own protocol over a WebSocket: one page, its keys and errors.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Fields = Record<string, unknown>;

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--remote-debugging-port=0",
];

export class Browser {
  /** Exceptions of scripts, and what the browser refused to load or run. */
  readonly troubles: string[] = [];
  readonly #socket: WebSocket;
  readonly #stop: () => Promise<void>;
  readonly #answers = new Map<number, (answer: Fields) => void>();
  #session = "";
  #calls = 0;

  private constructor(socket: WebSocket, stop: () => Promise<void>) {
    this.#socket = socket;
    this.#stop = stop;
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(String(data))));
  }

  static async start(): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), "chromium-"));
    const child = spawn("chromium", [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const address = await new Promise<string>((resolve, reject) => {
      let said = "";
      child.once("error", () => reject(new Error("no chromium here: apt-get install chromium")));
      child.stderr.on("data", (chunk) => {
        said += String(chunk);
        const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once("close", () => reject(new Error(`chromium ended: ${said}`)));
    });
    const socket = new WebSocket(address);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const browser = new Browser(socket, async () => {
      child.kill();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    await browser.#attach();
    return browser;
  }

  async open(url: string): Promise<void> {
    await this.call("Page.navigate", { url });
  }

  /** The value of an expression of the page's own world. */
  async value(expression: string): Promise<unknown> {
    const { result } = await this.call("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    return (result as Fields)["value"];
  }

  /** Waits until an expression is true; the page itself looks, at each frame. */
  async until(expression: string): Promise<void> {
    const look = `new Promise((done) => {
      const look = () => { try { if (${expression}) return done(true); } catch {} setTimeout(look, 20); };
      look();
    })`;
    await this.value(look);
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.call("Input.insertText", { text });
  }

  async press(key: "Enter" | "Tab"): Promise<void> {
    const code = key === "Enter" ? 13 : 9;
    const common = { key, code: key, windowsVirtualKeyCode: code };
    const text = key === "Enter" ? { text: "\r" } : {};
    await this.call("Input.dispatchKeyEvent", { type: "keyDown", ...common, ...text });
    await this.call("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  async screenshot(file: string, theme: "light" | "dark"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: theme }];
    await this.call("Emulation.setEmulatedMedia", { features });
    const { data } = await this.call("Page.captureScreenshot", { format: "png" });
    writeFileSync(file, Uint8Array.from(atob(String(data)), (one) => one.charCodeAt(0)));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#stop();
  }

  call(method: string, params: Fields): Promise<Fields> {
    const id = ++this.#calls;
    const session = this.#session === "" ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  async #attach(): Promise<void> {
    const { targetInfos } = await this.call("Target.getTargets", {});
    const page = (targetInfos as Fields[]).find(({ type }) => type === "page");
    const targetId = page?.["targetId"];
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    this.#session = String(sessionId);
    for (const domain of ["Page", "Runtime", "Log"]) await this.call(`${domain}.enable`, {});
    const size = { width: 1100, height: 760, deviceScaleFactor: 1, mobile: false };
    await this.call("Emulation.setDeviceMetricsOverride", size);
  }

  #take(message: Fields): void {
    const { id, method, params, result, error } = message as {
      id?: number;
      method?: string;
      params?: Fields;
      result?: Fields;
      error?: Fields;
    };
    if (id !== undefined) {
      this.#answers.get(id)?.(result ?? { error });
      this.#answers.delete(id);
    }
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.troubles.push(JSON.stringify(params));
    }
  }
}
