// Which addresses count as one stranger: one of IPv4, a /64 of IPv6. Pure.

/** "10.0.0.1", or the first 64 bits of an IPv6 address as 16 hexadecimal digits. */
export function addressGroup(address: string): string {
  const plain = address.replace(/%.*$/, "").toLowerCase();
  if (!plain.includes(":")) return plain;
  // The URL parser knows every way to write an IPv6 address, and shortens it.
  const host = URL.canParse(`http://[${plain}]`) ? new URL(`http://[${plain}]`).hostname : "[::]";
  const [head = "", tail] = host.slice(1, -1).split("::");
  const left = groupsOf(head);
  const right = groupsOf(tail ?? "");
  const groups = [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
  const mapped = groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff";
  if (mapped) return groups.slice(6).flatMap(bytesOf).join(".");
  return groups.slice(0, 4).map((group) => group.padStart(4, "0")).join("");
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

function bytesOf(group: string): number[] {
  const value = parseInt(group, 16);
  return [value >> 8, value & 0xff];
}
