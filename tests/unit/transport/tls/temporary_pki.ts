// A CA and host certificates in a temporary folder, made as `agent pki` makes them.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueCertificate } from "../../../../agent/pki/mod.ts";
import { currentRuntime, type TlsCredentials } from "../../../../transport/runtime/mod.ts";

const { files, clock, random } = await currentRuntime();

export class TemporaryPki implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "agent-pki-"));

  /** @param agoMs makes the CA and its certificates as if at that time before now */
  static async make(agoMs = 0): Promise<TemporaryPki> {
    const pki = new TemporaryPki(agoMs);
    await createAuthority(pki.directory, pki.parts);
    return pki;
  }

  readonly agoMs: number;

  private constructor(agoMs: number) {
    this.agoMs = agoMs;
  }

  get parts() {
    return { files, random, clock: { wallMs: () => clock.wallMs() - this.agoMs } };
  }

  /** @param agoMs makes the certificate as if at that time before now */
  async issue(name: string, options: { agoMs?: number } = {}): Promise<TlsCredentials> {
    const { agoMs = this.agoMs } = options;
    const parts = { files, random, clock: { wallMs: () => clock.wallMs() - agoMs } };
    const { ca, cert, key } = await issueCertificate(
      this.directory,
      { name, addresses: [] },
      parts,
    );
    return {
      ca: readFileSync(ca, "utf8"),
      cert: readFileSync(cert, "utf8"),
      key: readFileSync(key, "utf8"),
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
