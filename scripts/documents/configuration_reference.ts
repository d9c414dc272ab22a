// docs/configuration.md: every key of both configuration files, from their schemas. What a schema
// cannot say stands in configuration_texts.ts; a key without a text there ends with an error.

import { z } from "zod";
import {
  CLIENT_KEYS,
  compressionSchema,
  databaseEntrySchema,
  encryptionFields,
  hooksSchema,
  serverEntrySchema,
  walSocketSchema,
} from "../../agent/config/client_schema.ts";
import { keepRules } from "../../agent/config/retention_schema.ts";
import {
  clientBackupSchema,
  clientScheduleSchema,
  drillSchema,
  expireSchema,
  verifySchema,
} from "../../agent/config/schedule_schema.ts";
import { clientEntrySchema, SERVER_KEYS } from "../../agent/config/server_schema.ts";
import {
  jobsSchema,
  networkSchema,
  stgSchema,
  tlsSchema,
} from "../../agent/config/shared_schema.ts";
import { KEY_EFFECTS } from "../../agent/reload_plan.ts";
import { HEAD, TEXTS } from "./configuration_texts.ts";

/** Where each schema stands: `*` is a name, `[]` an item of a list. */
const SECTIONS: readonly (readonly [string, z.ZodType])[] = [
  ["network", networkSchema],
  ["tls", tlsSchema],
  ["stgs[]", stgSchema],
  ["jobs", jobsSchema],
  ["clients.*", clientEntrySchema],
  ["retention", keepRules],
  ["schedules.* (server, backup)", clientBackupSchema],
  ["schedules.* (server, expire)", expireSchema],
  ["schedules.* (server, verify)", verifySchema],
  ["schedules.* (server, drill)", drillSchema],
  ["server", serverEntrySchema],
  ["schedules.* (client)", clientScheduleSchema],
  ["databases.*", databaseEntrySchema],
  ["wal_socket", walSocketSchema],
  ["compression", compressionSchema],
  ["hooks", hooksSchema],
  ["encryption", encryptionFields],
];

/** What of a JSON schema is used here. */
const nodeSchema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  enum: z.array(z.union([z.string(), z.number()])).optional(),
  const: z.unknown().optional(),
  default: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
});
type Node = z.output<typeof nodeSchema>;

interface Row {
  readonly key: string;
  readonly value: string;
  readonly missing: string;
}

/** @throws Error that names the keys without a text, and the texts without a key */
export function configurationReference(): string {
  const used = new Set<string>();
  const text = (key: string): string => {
    used.add(key);
    return TEXTS[key] ?? `MISSING ${key}`;
  };
  const parts = [HEAD, "## Keys at the top\n", topTable(text)];
  for (const [place, schema] of SECTIONS) {
    const rows = rowsOf(
      nodeOf(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" })),
      "",
    );
    parts.push(`## \`${place}\`\n`, text(place), "", table(place, rows, text));
  }
  const document = `${parts.join("\n")}`;
  const lacking = [...used].filter((key) => TEXTS[key] === undefined);
  const idle = Object.keys(TEXTS).filter((key) => !used.has(key));
  if (lacking.length + idle.length === 0) return document;
  throw new Error(
    `configuration_texts.ts: missing ${lacking.join(", ")}; no such key ${idle.join(", ")}`,
  );
}

function topTable(text: (key: string) => string): string {
  const effects = new Map(
    Object.values(KEY_EFFECTS).flatMap(({ key, effect }) =>
      key.split(", ").map((one) => [one, effect] as const)
    ),
  );
  const keys = [...new Set<string>([...SERVER_KEYS, ...CLIENT_KEYS])];
  const has = (list: readonly string[], key: string) => list.includes(key) ? "yes" : "";
  const rows = keys.map((key) => [
    `\`${key}\``,
    has(SERVER_KEYS, key),
    has(CLIENT_KEYS, key),
    effects.get(key) ?? "",
    text(key),
  ]);
  return markdown(["key", "server", "client", "takes effect at", "meaning"], rows);
}

function table(place: string, rows: readonly Row[], text: (key: string) => string): string {
  return markdown(
    ["key", "value", "without it", "meaning"],
    rows.map(({ key, value, missing }) => [
      `\`${key}\``,
      value,
      missing,
      text(`${place.replace(/ .*/, "")}.${key}`),
    ]),
  );
}

function rowsOf(node: Node, prefix: string): Row[] {
  const rows = (node.oneOf ?? []).flatMap((one) => {
    const kind = nodeOf(nodeOf(one).properties?.["kind"] ?? {}).const;
    return rowsOf(nodeOf(one), prefix).filter(({ key }) => key !== "kind")
      .map((row) => ({ ...row, key: `${row.key} (${String(kind)})` }));
  });
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const inner = nodeOf(child);
    if (inner.properties !== undefined) {
      rows.push(...rowsOf(inner, `${prefix}${name}.`));
      continue;
    }
    const isNeeded = node.required?.includes(name) === true;
    const missing = inner.default === undefined
      ? isNeeded ? "an error" : ""
      : `\`${JSON.stringify(inner.default)}\``;
    rows.push({ key: `${prefix}${name}`, value: valueOf(inner), missing });
  }
  return rows;
}

function valueOf(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((one) => `\`${one}\``).join(", ");
  const { minimum, maximum } = node;
  if (minimum !== undefined) return `${minimum} to ${maximum ?? "any"}`;
  const types = [node.type ?? "text"].flat().filter((type) => type !== "null");
  if (types.length > 1) return "text or number";
  const names: Readonly<Record<string, string>> = { array: "list", boolean: "`true`, `false`" };
  return names[types[0] ?? ""] ?? "text";
}

function nodeOf(value: unknown): Node {
  return nodeSchema.parse(value);
}

function markdown(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = heads.map((head, index) =>
    Math.max(head.length, ...cells.map((row) => row[index]?.length ?? 0))
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return `${[line(heads), rule, ...cells.map(line)].join("\n")}\n`;
}
