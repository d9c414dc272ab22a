// The door of the room that makes certificates.

export { type AuthorityReport, createAuthority } from "./authority.ts";
export { type HostReport, issueCertificate } from "./host_certificate.ts";
export type { PkiParts } from "./pem_file.ts";
