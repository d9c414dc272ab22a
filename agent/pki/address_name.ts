// An address of a host as a certificate carries it: an IP address or a DNS name. Pure.

import { AgentError } from "../../transport/ground/error.ts";

export interface AddressName {
  readonly type: "ip" | "dns";
  readonly value: string;
}

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const DNS_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const DNS_LENGTH_MAX = 253;

/** @throws AgentError `usage` when it is neither */
export function addressName(text: string): AddressName {
  const quad = IPV4.exec(text);
  if (quad !== null && quad.slice(1).every((part) => Number(part) <= 255)) {
    return { type: "ip", value: quad.slice(1).map(Number).join(".") };
  }
  if (text.includes(":")) {
    // The URL parser knows every way to write an IPv6 address.
    const url = URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`) : null;
    if (url !== null) return { type: "ip", value: url.hostname.slice(1, -1) };
  } else if (quad === null && isDnsName(text)) return { type: "dns", value: text };
  throw new AgentError(
    "usage",
    `Cannot issue for address "${text}": found neither an IP address nor a DNS name, need one`,
    { hint: "Write for example --address 10.0.0.7 or --address web01.example.com." },
  );
}

function isDnsName(text: string): boolean {
  return text.length <= DNS_LENGTH_MAX && text.split(".").every((label) => DNS_LABEL.test(label));
}
