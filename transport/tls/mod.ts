// The door of the TLS room.

export { certificateNames } from "./certificate_names.ts";
export { type CertificateFacts, certificateFacts, normalSerial } from "./certificate_facts.ts";
export {
  derOf,
  type SecureIdentity,
  type SecureNetwork,
  secureNetwork,
  type SecureNetworkOptions,
} from "./secure_network.ts";
