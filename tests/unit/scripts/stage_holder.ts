// A process that has a stage with one daemon on it, says so, and waits to be killed. The daemon
// says so in the pipe at PATH, and keeps it open as long as it lives.

import { Stage } from "../../../scripts/demonstration/stage.ts";

const [path = ""] = process.argv.slice(2);
const stage = new Stage(["true"], { keep: true });
stage.start("daemon", ["sh", "-c", `exec >'${path}'; echo up; exec sleep 600`]);
process.stdout.write(`${stage.pidOf("daemon")} ${stage.folder}\n`);
process.stdin.resume();
