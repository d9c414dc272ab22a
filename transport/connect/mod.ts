// Door of the connect layer.

export { type ChannelTotals, ConnectLayer } from "./connect_layer.ts";
export { GroupMechanism, type OpenGroup } from "./group_mechanism.ts";
export { familyOf } from "./descriptor_table.ts";
export type {
  ConnectOptions,
  Family,
  ListenOptions,
  Mechanism,
  MechanismSocket,
} from "./mechanism.ts";
