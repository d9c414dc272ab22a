// A drill as the control endpoint tells of it: types only.

/** How the last drill of a backup went. */
export interface Drill {
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly status: "ok" | "failed";
  /** Entries that were restored and compared, of those that the backup has. */
  readonly entries: number;
  readonly of: number;
  /** Content bytes that were compared; of one that was not decrypted, bytes as they are stored. */
  readonly bytes: number;
  /** Entries that differ from the catalog or the media. */
  readonly differences: number;
  /** Entries of which the server could not set everything, such as owners when it is not root. */
  readonly unproved: number;
  /** True: encrypted, and no identity was at hand. Nothing was restored, checksums were right. */
  readonly undecrypted: boolean;
  /** What the sample was drawn by; null when everything was taken. */
  readonly seed: number | null;
}
