// What of its paths a file-system backup takes, as it is asked for, configured, labelled and kept
// in the catalog. Together with client and paths it is the source: backups with another selection
// do not build on one another.
//
// What the rules mean is in application/filesystem/exclude_rules.ts. Pure.

export interface SourceSelection {
  /** Rules of what is left out, in their order: the last one that matches decides. */
  readonly exclude: readonly string[];
  /** Leaves out what is in directories with a CACHEDIR.TAG, but for the tag. */
  readonly excludeCaches: boolean;
  /** Leaves out what is on other file systems than the path that it is below. */
  readonly oneFileSystem: boolean;
  /** Leaves out regular files of more bytes; null: none. */
  readonly excludeLargerThan: number | null;
  /** Name of files with rules for their directory and what is below it; null: there are none. */
  readonly ignoreFile: string | null;
}

/** Nothing is left out. */
export const EVERYTHING: SourceSelection = {
  exclude: [],
  excludeCaches: false,
  oneFileSystem: false,
  excludeLargerThan: null,
  ignoreFile: null,
};

/** The selection of something that has one among other things. */
export function selectionOf(selected: SourceSelection): SourceSelection {
  const { exclude, excludeCaches, oneFileSystem, excludeLargerThan, ignoreFile } = selected;
  return { exclude, excludeCaches, oneFileSystem, excludeLargerThan, ignoreFile };
}

/** True when nothing is left out. */
export function isEverything(selected: SourceSelection): boolean {
  const { exclude, excludeCaches, oneFileSystem, excludeLargerThan, ignoreFile } = selected;
  return exclude.length === 0 && !excludeCaches && !oneFileSystem && excludeLargerThan === null &&
    ignoreFile === null;
}

/** A client's selection and what one backup asks for beside it, whose rules come later. */
export function joinSelections(general: SourceSelection, own: SourceSelection): SourceSelection {
  return {
    exclude: [...general.exclude, ...own.exclude],
    excludeCaches: general.excludeCaches || own.excludeCaches,
    oneFileSystem: general.oneFileSystem || own.oneFileSystem,
    excludeLargerThan: own.excludeLargerThan ?? general.excludeLargerThan,
    ignoreFile: own.ignoreFile ?? general.ignoreFile,
  };
}

/** The same for all selections that leave out the same: without "!" the order of rules is none. */
export function canonicalSelection(selected: SourceSelection): SourceSelection {
  const selection = selectionOf(selected);
  const { exclude } = selection;
  if (exclude.some((rule) => rule.startsWith("!"))) return selection;
  return { ...selection, exclude: [...exclude].sort() };
}
