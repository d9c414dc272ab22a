// The door of the TLS room.

export { certificateNames } from "./certificate_names.ts";
export {
  type SecureIdentity,
  type SecureNetwork,
  secureNetwork,
  type SecureNetworkOptions,
} from "./secure_network.ts";
