// `agent pki init DIR` and `agent pki issue DIR NAME`: the certificates of mutual TLS, without a
// daemon.

import { EXIT_OK } from "../../exit_code.ts";
import { createAuthority, issueCertificate } from "../../pki/mod.ts";
import { type ArgumentSpec, type Command, JSON_OPTION } from "../command.ts";
import { printable } from "../output.ts";

const DIR: ArgumentSpec = { name: "DIR", help: "Directory of the CA", required: true };

export const pkiInit: Command = {
  name: "pki init",
  summary: "Make a CA, which signs the certificates of the hosts",
  details: "Run it once, best on a machine of its own: who has ca.key can be any host.",
  arguments: [DIR],
  options: [JSON_OPTION],
  examples: ["agent pki init /root/agent-pki"],
  async run({ given, runtime, absolute, json, out }) {
    const shown = given.requiredArgument("DIR");
    const report = await createAuthority(absolute(shown), runtime);
    if (json) out.write(1, `${JSON.stringify({ type: "authority", ...report })}\n`);
    else {
      out.write(
        1,
        `made ${printable(report.ca)}, valid until ${report.expires.slice(0, 10)}\n` +
          `Keep ${printable(report.key)} here and secret. ` +
          `Next: agent pki issue ${printable(shown)} NAME for each host.\n`,
      );
    }
    return EXIT_OK;
  },
};

export const pkiIssue: Command = {
  name: "pki issue",
  summary: "Make the certificate and key of a host",
  details: "NAME is the `name` in the configuration of the agent there; peers check it.",
  arguments: [DIR, { name: "NAME", help: "Name of the agent", required: true }],
  options: [
    { name: "address", value: "A", help: "IP address or DNS name of the host", many: true },
    JSON_OPTION,
  ],
  examples: ["agent pki issue /root/agent-pki web01 --address 10.0.0.7"],
  async run({ given, runtime, absolute, json, out }) {
    const request = { name: given.requiredArgument("NAME"), addresses: given.values("address") };
    const directory = absolute(given.requiredArgument("DIR"));
    const report = await issueCertificate(directory, request, runtime);
    if (json) out.write(1, `${JSON.stringify({ type: "certificate", ...report })}\n`);
    else {
      const { name, ca, cert, key, expires } = report;
      out.write(
        1,
        `made ${printable(cert)}, valid until ${expires.slice(0, 10)}\n` +
          `Copy to ${name}, for instance to /etc/agent/pki, the key readable by the agent only:\n` +
          `${[ca, cert, key].map((path) => `  ${printable(path)}\n`).join("")}` +
          `and set there  tls: { ca: pki/ca.pem, cert: pki/${name}.pem, key: pki/${name}.key }\n`,
      );
    }
    return EXIT_OK;
  },
};
