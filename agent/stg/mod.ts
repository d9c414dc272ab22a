// Door of the group service.

export {
  type OpenVolumes,
  sourceOf,
  StgService,
  type StgServiceParts,
  timingOf,
} from "./stg_service.ts";
