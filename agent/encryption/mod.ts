// Door of the encryption room: frames of backups for those who hold a key.

export { FrameOpener } from "./frame_opener.ts";
export { FrameSealer } from "./frame_sealer.ts";
export { readRecipients } from "./read_keys.ts";
