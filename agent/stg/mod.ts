// Door of the group service.

export { type OpenVolumes, sourceOf, timingOf } from "./stg_group.ts";
export { StgService, type StgServiceParts } from "./stg_service.ts";
export { downLine, stgView } from "./stg_view.ts";
