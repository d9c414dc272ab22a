// The certificates that `tls` names as status and metrics show them.

import { certificateFacts, certificateNames, type Clock, derOf } from "../transport/mod.ts";
import type { TlsCredentials } from "../transport/mod.ts";
import type { CertificateView } from "./control/certificate_view.ts";

/** Reads them once: a daemon uses what it read at its start. @throws AgentError `auth` */
export function certificateViews(
  credentials: TlsCredentials | null,
  clock: Pick<Clock, "wallMs">,
): () => CertificateView[] {
  if (credentials === null) return () => [];
  const read = (["ca", "cert"] as const).map((file) => {
    const der = derOf(credentials[file]);
    return { file, names: certificateNames(der), ...certificateFacts(der) };
  });
  return () =>
    read.map(({ file, serial, names, notBeforeMs, notAfterMs }) => ({
      file,
      serial,
      names,
      notBefore: new Date(notBeforeMs).toISOString(),
      notAfter: new Date(notAfterMs).toISOString(),
      leftSeconds: Math.floor((notAfterMs - clock.wallMs()) / 1000),
    }));
}
