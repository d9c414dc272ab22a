// Decoders of whole files of a vault: media, read and taken into a catalog as after a crash, media
// that were cut off, and the catalog's own database. Each input becomes a file in `folder`.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Catalog } from "../../../agent/catalog/mod.ts";
import { CutMedia, decompressFrame, MediaReader } from "../../../agent/media/mod.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import { type Decoder, golden } from "./decoder_table.ts";

const PLAIN = ["format_1", "format_2_full", "format_2_selection"] as const;
const MEDIA = [
  ...PLAIN,
  "format_2_incremental",
  "format_3_encrypted",
  "format_4_continued",
] as const;
const seedsOf = (names: readonly string[]) => names.map((name) => golden(`media/${name}.tar.zst`));

export function fileDecoders(files: Files, folder: string): readonly Decoder[] {
  const path = join(folder, "media");
  const full = join(folder, "full");
  writeFileSync(full, golden("media/format_2_full.tar.zst"));
  return [
    {
      name: "whole media, and its import into a catalog",
      seeds: seedsOf(MEDIA),
      decode: (bytes) => {
        writeFileSync(path, bytes);
        using media = new MediaReader(files, path);
        using catalog = Catalog.open(":memory:");
        if (media.label.needs.length > 0) importFile(catalog, files, full);
        catalog.import(media);
        read(catalog);
        for (const [sequence, { tarBytes }] of media.frames.entries()) {
          const frame = media.readProvedFrame(sequence);
          if (media.label.encryption === null) decompressFrame(frame, tarBytes);
        }
      },
    },
    {
      name: "media that were cut off",
      seeds: seedsOf(MEDIA),
      decode: (bytes) => {
        writeFileSync(path, bytes);
        using media = CutMedia.open(files, path);
        if (media === null) return;
        const scan = media.findPrefixes();
        while (!scan.next().done);
      },
    },
    {
      name: "the catalog's database",
      seeds: [catalogBytes(files, folder, full)],
      decode: (bytes) => {
        writeFileSync(path, bytes);
        try {
          using catalog = Catalog.open(path);
          read(catalog);
        } finally {
          for (const beside of ["-wal", "-shm"]) rmSync(path + beside, { force: true });
        }
      },
    },
  ];
}

function importFile(catalog: Catalog, files: Files, path: string): void {
  using media = new MediaReader(files, path);
  catalog.import(media);
}

/** Everything that a person may ask of it. */
function read(catalog: Catalog): void {
  catalog.lastBackups();
  for (const { backup } of catalog.withExpired()) {
    for (const { path } of catalog.list(backup, null)) catalog.list(backup, path);
  }
}

/** A catalog of one backup as a file. */
function catalogBytes(files: Files, folder: string, media: string): Uint8Array {
  const path = join(folder, "catalog");
  {
    using catalog = Catalog.open(path);
    importFile(catalog, files, media);
  }
  return Uint8Array.from(readFileSync(path));
}
