// Rules about TLS: plain connections never leave the host, and who speaks TLS knows the name that
// the peer must prove. Pure.

import { isLoopback } from "../../transport/ground/loopback.ts";
import type { ReadPart, SectionReader } from "./section_reader.ts";

const HINT =
  "Add tls: { ca, cert, key } with files that `agent pki init` and `agent pki issue` make";

/** Others may connect to an address that is not loopback. */
export function checkListenAddress(reader: SectionReader, listen: string): void {
  if (isLoopback(listen) || reader.has("tls")) return;
  reader.refuse(
    ["network", "listen"],
    `found ${listen} without tls, need a loopback address`,
    `${HINT}, or listen on 127.0.0.1.`,
  );
}

/** What is sent to an address that is not loopback crosses a network. */
export function checkPeerAddresses(
  reader: SectionReader,
  peers: readonly Pick<ReadPart<{ readonly address: string }>, "path" | "value">[],
): void {
  if (reader.has("tls")) return;
  for (const { path, value } of peers) {
    if (isLoopback(value.address)) continue;
    reader.refuse(
      [...path, "address"],
      `found ${value.address} without tls, need a loopback address`,
      `${HINT}.`,
    );
  }
}

/** A client accepts only its own server's certificate, so it must know the name in it. */
export function checkServerName(
  reader: SectionReader,
  server: { readonly name: string | undefined },
): void {
  if (server.name !== undefined || !reader.has("tls")) return;
  reader.refuse(
    ["server", "name"],
    "missing, need the name of the server for tls",
    "Add the `name` that stands in the server's configuration and in its certificate.",
  );
}
