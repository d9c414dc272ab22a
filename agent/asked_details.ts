// What somebody asked for, as details of the audit log. Pure.

const TOLD = [
  "kind",
  "client",
  "database",
  "paths",
  "path",
  "backup",
  "include",
  "target",
  "overwrite",
] as const;

/** Those of the fields that an audit log tells, as texts; lists with blanks between. */
export function askedDetails(
  asked: { readonly [field in (typeof TOLD)[number]]?: unknown },
): Readonly<Record<string, string>> {
  const named = TOLD.flatMap((field) => {
    const value = asked[field];
    const text = Array.isArray(value) ? value.join(" ") : value;
    return typeof text === "string" && text !== "" ? [[field, text] as const] : [];
  });
  return Object.fromEntries(named);
}
