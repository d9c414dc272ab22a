// A certificate as status and metrics show it. Types only.

export interface CertificateView {
  /** The key of `tls` that names its file. */
  readonly file: "ca" | "cert";
  /** Hex, as `tls.revoked` takes it. */
  readonly serial: string;
  readonly names: readonly string[];
  /** RFC 3339, UTC. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Negative when it has expired. */
  readonly leftSeconds: number;
}
