// The storage transport groups with their hosts and connections, and what is in the cache of the
// emulated arrays, over the cylinders of each device.

import { ask, h, mark, s, size, table } from "./dom.js";

const COLUMNS = 64;
const STEP = 12;

export async function storageView() {
  const element = h("div");
  const refresh = async () => {
    const [groups, arrays] = await Promise.all([ask("/v1/stgs"), ask("/v1/arrays")]);
    const maps = await Promise.all(
      arrays.map(({ uuid }) => ask(`/v1/arrays/${encodeURIComponent(uuid)}/map`)),
    );
    element.replaceChildren(
      ...groups.flatMap(groupTables),
      ...arrays.map((array, index) => heatMaps(array, maps[index])),
    );
  };
  await refresh();
  return { element, refresh };
}

function groupTables({ name, state, reason, hosts, connections, warnings }) {
  const heads = ["Host", "Name", "State", "Heartbeat", "Endpoints in use", "Errors"];
  const seconds = (ms) => ms === null ? "" : `${(ms / 1000).toFixed(1)} s ago`;
  const life = { true: "up", false: "down" };
  return [
    h("h2", null, `Group ${name}: `, mark(state, reason ?? state)),
    ...warnings.map((text) => h("p", { class: "incomplete" }, text)),
    table(
      "Hosts",
      heads,
      hosts.map((one) => [
        one.host,
        one.name,
        one.attached ? mark(life[one.live] ?? "dim", life[one.live] ?? "watched") : "gone",
        seconds(one.heartbeatAgeMs),
        `${one.endpoints.used} of ${one.endpoints.total}`,
        Object.values(one.errors).reduce((sum, count) => sum + count, 0),
      ]),
    ),
    table(
      "Connections",
      ["From", "To", "State", "Sent", "Received", "In flight", "Ring waits"],
      connections.map((one) => [
        `${one.host}:${one.port}`,
        `${one.peerHost}:${one.peerPort}`,
        one.state,
        size(one.sentBytes),
        size(one.receivedBytes),
        one.framesInFlight ?? "",
        one.creditWaits,
      ]),
    ),
  ];
}

function heatMaps({ directory }, devices) {
  return h(
    "section",
    null,
    h("h2", null, `Cache of array ${directory}`),
    h("p", { class: "dim" }, "Blue is in cache, orange write pending, a red frame damaged."),
    devices.map((device) => h("figure", null, caption(device), heatMap(device))),
  );
}

function caption({ name, cylinders, cylindersPerBin }) {
  return h("figcaption", null, `${name}: ${cylinders} cylinders, ${cylindersPerBin} in a cell`);
}

function heatMap({ name, cylinders, cylindersPerBin, tracksPerCylinder, bins }) {
  const cells = Math.ceil(cylinders / cylindersPerBin);
  const rows = Math.ceil(cells / COLUMNS);
  const box = { width: STEP - 2, height: STEP - 2 };
  const tracks = cylindersPerBin * tracksPerCylinder;
  const empty = Array.from({ length: rows }, (_, row) => {
    const count = Math.min(COLUMNS, cells - row * COLUMNS);
    return s("rect", { class: "none", ...box, y: row * STEP, width: count * STEP - 2 });
  });
  return s(
    "svg",
    { viewBox: `0 0 ${COLUMNS * STEP} ${rows * STEP}`, width: COLUMNS * STEP, role: "img" },
    s("title", null, `What of ${name} is in cache`),
    empty,
    bins.map(({ bin, inCache, writePending, damaged }) => {
      const place = { ...box, x: bin % COLUMNS * STEP, y: Math.floor(bin / COLUMNS) * STEP };
      const share = (count) => Math.min(1, count / tracks);
      const depth = share(inCache) * 0.8 + 0.2;
      const height = Math.round(share(writePending) * box.height);
      return s(
        "g",
        null,
        s("title", null, `${inCache} tracks in cache, ${writePending} pending, ${damaged} damaged`),
        s("rect", { class: "cache", "fill-opacity": depth, ...place }),
        s("rect", { class: "pending", ...place, y: place.y + box.height - height, height }),
        damaged > 0 ? s("rect", { class: "damaged", ...place }) : null,
      );
    }),
  );
}
