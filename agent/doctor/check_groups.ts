// The storage transport groups: volumes that can be opened and read, formatted, of one group.

import { toErrorRecord } from "../../transport/mod.ts";
import type { Config, StgConfig } from "../config/mod.ts";
import type { StgView } from "../control/mod.ts";
import { doubtful, failed, type Finding, good } from "./finding.ts";

export type ReadGroup = (stg: StgConfig) => Promise<StgView>;

export async function checkGroups(config: Config, readGroup: ReadGroup): Promise<Finding[]> {
  if (config.stgs.length === 0) {
    const said = { check: "group", subject: "stgs" };
    return [doubtful(said, "no group: all data takes the network", "Name one under `stgs`.")];
  }
  return await Promise.all(config.stgs.map((stg) => checkGroup(config, stg, readGroup)));
}

async function checkGroup(config: Config, stg: StgConfig, readGroup: ReadGroup): Promise<Finding> {
  const said = { check: "group", subject: stg.name };
  try {
    const view = await readGroup(stg);
    const volumes = `${stg.volumes.length} ${stg.volumes.length === 1 ? "volume" : "volumes"}`;
    const holder = view.hosts.find(({ host }) => host === stg.host);
    if (holder !== undefined && holder.name !== "" && holder.name !== config.name) {
      return doubtful(
        said,
        `host number ${stg.host} was used by "${holder.name}"`,
        "Give each host a number of its own under `stgs`.",
      );
    }
    return good(said, `${volumes} of ${view.uuid ?? "?"}, read directly`);
  } catch (error) {
    // Whatever it is, it concerns this group alone.
    if (toErrorRecord(error).code === "internal") throw error;
    return failed(said, error);
  }
}
