// Door of the group service.

export { type OpenVolumes, sourceOf, StgService, type StgServiceParts } from "./stg_service.ts";
