// The certificates that `tls` names as status and metrics show them.

import { certificateFacts, certificateNames, type Clock, derOf } from "../transport/mod.ts";
import type { TlsCredentials } from "../transport/mod.ts";
import type { CertificateView } from "./control/certificate_view.ts";

/** @throws AgentError `auth` */
export function certificateViews(
  credentials: TlsCredentials | null,
  clock: Pick<Clock, "wallMs">,
): CertificateView[] {
  if (credentials === null) return [];
  return (["ca", "cert"] as const).map((file) => {
    const der = derOf(credentials[file]);
    const { serial, notBeforeMs, notAfterMs } = certificateFacts(der);
    return {
      file,
      serial,
      names: certificateNames(der),
      notBefore: new Date(notBeforeMs).toISOString(),
      notAfter: new Date(notAfterMs).toISOString(),
      leftSeconds: Math.floor((notAfterMs - clock.wallMs()) / 1000),
    };
  });
}
