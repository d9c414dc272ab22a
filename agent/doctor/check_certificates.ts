// The files of `tls`: readable, of each other, valid now and for a while, the key not open to all;
// and that the token of the control endpoint is not, either, nor shown to the network.

import { X509Certificate } from "node:crypto";
import { isLoopback } from "../../transport/ground/loopback.ts";
import { type Runtime, secureNetwork } from "../../transport/mod.ts";
import type { Config } from "../config/mod.ts";
import { readToken } from "../control/token_file.ts";
import { readCredentials } from "../read_credentials.ts";
import { doubtful, failed, type Finding, good } from "./finding.ts";
import { EXPIRY_WARNING_DAYS } from "./limits.ts";

const DAY_MS = 86_400_000;

export function checkCertificates(runtime: Runtime, config: Config): readonly Finding[] {
  const { tls, name } = config;
  if (tls === null) {
    const said = { check: "certificate", subject: "tls" };
    return [good(said, "no TLS: this host talks over loopback only")];
  }
  const said = { check: "certificate", subject: tls.cert };
  try {
    const credentials = readCredentials(runtime.files, tls);
    secureNetwork(runtime, { name, peers: [], credentials, onRefused: () => {} });
    const nowMs = runtime.clock.wallMs();
    return [
      good(said, `it is "${name}", the key belongs to it`),
      expiry(tls.cert, credentials.cert, nowMs),
      expiry(tls.ca, credentials.ca, nowMs),
    ];
  } catch (error) {
    return [failed(said, error)];
  }
}

/** Who reads the token may do whatever an operator may. */
export function checkToken({ files }: Pick<Runtime, "files">, config: Config): Finding[] {
  const path = config.controlToken;
  if (path === null) return [];
  const said = { check: "token", subject: path };
  try {
    readToken(files, path);
    return [good(said, "not every user can read it")];
  } catch (error) {
    return [failed(said, error)];
  }
}

/** Over the network the token, and what it gives access to, travel as they are. */
export function checkControl({ control }: Config): Finding[] {
  if (control.kind === "unix") return [];
  const { host, port } = control;
  const said = { check: "endpoint", subject: `${host}:${port}` };
  if (isLoopback(host)) return [good(said, "only this host reaches it")];
  const hint = "Set `control: http://127.0.0.1:" + port + "` and reach it from elsewhere by " +
    `\`ssh -L ${port}:127.0.0.1:${port}\`.`;
  return [doubtful(said, "token and answers cross the network in plain text", hint)];
}

function expiry(subject: string, pem: string, nowMs: number): Finding {
  const said = { check: "certificate", subject };
  const endMs = Date.parse(new X509Certificate(pem).validTo);
  const days = Math.floor((endMs - nowMs) / DAY_MS);
  const text = `valid until ${new Date(endMs).toISOString()}, ${days} days`;
  if (days >= EXPIRY_WARNING_DAYS) return good(said, text);
  return doubtful(
    said,
    text,
    "Issue a new one with `agent pki issue` and run `systemctl reload` for the agent.",
  );
}
