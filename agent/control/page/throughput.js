// The throughput of a job per channel over its time, from the events of the job: whoever comes late
// sees it all the same, since the stream begins with the events that were.

import { h, s, size } from "./dom.js";

const WIDTH = 640;
const HEIGHT = 140;
const POINTS_MAX = 320;

export function throughput() {
  let samples = [{ seconds: 0, storage: 0, network: 0 }];
  const lines = { storage: s("polyline"), network: s("polyline") };
  const top = s("text", { x: 4, y: 14 });
  const picture = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img" },
    s("title", null, "Bytes per second through each channel over the job's time"),
    Object.entries(lines).map(([channel, line]) => s("g", { class: channel }, line)),
    top,
  );
  const draw = () => {
    const points = rates(samples);
    const highest = Math.max(1, ...points.flatMap(({ storage, network }) => [storage, network]));
    const last = Math.max(1e-3, points.at(-1)?.seconds ?? 0);
    top.textContent = `${size(Math.round(highest))}/s, ${last.toFixed(1)} s`;
    for (const [channel, line] of Object.entries(lines)) {
      const place = (point) =>
        `${(point.seconds / last * WIDTH).toFixed(1)},` +
        `${(HEIGHT - 2 - point[channel] / highest * (HEIGHT - 24)).toFixed(1)}`;
      line.setAttribute("points", points.map(place).join(" "));
    }
  };
  return {
    element: h(
      "figure",
      null,
      h(
        "figcaption",
        null,
        "Throughput: ",
        h("span", { class: "storage" }, "storage"),
        ", ",
        h("span", { class: "network" }, "network"),
      ),
      picture,
    ),
    add({ seconds, channels }) {
      if (seconds <= samples.at(-1).seconds) return;
      const { storage, network } = channels;
      samples.push({ seconds, storage: storage.bytes, network: network.bytes });
      // Every second one: the form stays, and the memory of the page does not grow.
      if (samples.length > POINTS_MAX) samples = samples.filter((_, index) => index % 2 === 0);
      draw();
    },
  };
}

function rates(samples) {
  return samples.slice(1).map(({ seconds, storage, network }, index) => {
    const before = samples[index];
    const took = seconds - before.seconds;
    const rate = (now, then) => Math.max(0, now - then) / took;
    const each = { storage: rate(storage, before.storage) };
    return { seconds, ...each, network: rate(network, before.network) };
  });
}
