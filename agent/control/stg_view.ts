// What the control endpoint shows of storage transport groups. Types only.

export interface StgView {
  readonly name: string;
  readonly state: "up" | "down";
  readonly reason: string | null;
  /** What to do about the reason. */
  readonly hint: string | null;
  readonly uuid: string | null;
  readonly host: number;
  readonly volumes: readonly string[];
  readonly hosts: readonly StgHostView[];
  readonly connections: readonly StgConnectionView[];
  /** What an operator should put right, as sentences. */
  readonly warnings: readonly string[];
}

export interface StgHostView {
  readonly host: number;
  readonly name: string;
  /** Grows with each process that took the host id. */
  readonly generation: number;
  /** False when the host gave its id back. */
  readonly attached: boolean;
  /** Null until it was watched long enough. */
  readonly live: boolean | null;
  readonly heartbeatAgeMs: number | null;
  /** Volumes on which it beats. */
  readonly volumes: readonly string[];
  readonly deadMs: number;
  /** Ports on which it listens. */
  readonly ports: readonly number[];
  readonly endpoints: {
    readonly total: number;
    readonly used: number;
    readonly quarantined: number;
  };
  /** How often which error was found, and healed, by its endpoints. */
  readonly errors: {
    readonly tornFrames: number;
    readonly staleFrames: number;
    readonly damagedFrames: number;
    readonly badBlocks: number;
    readonly cursorsBack: number;
    readonly cursorsBeyond: number;
    readonly framesAsked: number;
    readonly framesSentAgain: number;
  };
}

/** A socket as its owner's control block shows it; both ends of a connection are listed. */
export interface StgConnectionView {
  readonly host: number;
  readonly endpoint: number;
  readonly port: number;
  readonly peerHost: number;
  readonly peerEndpoint: number;
  readonly peerPort: number;
  readonly state: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly framesInFlight: number | null;
  /** How often its sender waited because the ring was full. */
  readonly creditWaits: number;
}
