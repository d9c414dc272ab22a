// The door of the TLS room.

export { certificateNames } from "./certificate_names.ts";
export { secureNetwork, type SecureNetworkOptions } from "./secure_network.ts";
