// Entry of the thread that writes small files beside a job's own: it serves one restore after the
// other, each on a port of its own.

import { AssertionFailure, currentRuntime, toErrorRecord } from "../transport/mod.ts";
import {
  type FromSmallFileWriter,
  SmallFileWriter,
  type ToSmallFileWriter,
} from "./application/mod.ts";
import type { FromWriter, ToWriter } from "./job/mod.ts";

const { files, process, parentThread } = await currentRuntime();
const parent = parentThread();

process.onUncaught((thrown) => {
  const said: FromWriter = thrown instanceof AssertionFailure
    ? { type: "assertion", message: thrown.stack ?? thrown.message }
    : { type: "error", error: toErrorRecord(thrown) };
  parent.post(said);
});
parent.onMessage((message) => serve((message as ToWriter).port));

function serve(port: MessagePort): void {
  let writer: SmallFileWriter | null = null;
  const post = (message: FromSmallFileWriter) => port.postMessage(message);
  port.onmessage = ({ data }) => {
    const message = data as ToSmallFileWriter;
    if (message.type === "begin") {
      writer = new SmallFileWriter({ files, post }, message);
    } else if (message.type === "batch") writer?.write(message);
    else post({ type: "end" });
  };
  post({ type: "ready" });
}
