// The text of `agent status` about certificates: when each ends, told in time.

import { expect, test } from "bun:test";
import pc from "picocolors";
import { renderStatus } from "../../../../agent/cli/render_backup.ts";
import { FakeDaemon } from "../control/fake_daemon.ts";

const DAY_SECONDS = 86_400;

test("renderStatus() names each certificate with its serial and the days that are left", () => {
  const status = new FakeDaemon().status();
  const [certificate] = status.certificates;
  if (certificate === undefined) throw new Error("the daemon for tests has a certificate");
  const linesOf = (days: number, isColoured: boolean) => {
    const ca = { ...certificate, file: "ca", serial: "0f", names: [] } as const;
    const leftSeconds = days * DAY_SECONDS;
    const certificates = [{ ...ca, leftSeconds }, { ...certificate, leftSeconds }];
    const text = renderStatus({ ...status, certificates }, pc.createColors(isColoured));
    return text.split("\n").filter((line) => line.includes("2027-01-01"));
  };
  const until = "valid until 2027-01-01T00:00:00.000Z, 30 days";
  expect(linesOf(30.9, false)).toEqual([
    `tls.ca:   serial 0f, ${until}`,
    `tls.cert: vault01, serial abc, ${until}`,
  ]);
  const paint = pc.createColors(true);
  const coloured = (days: number) => linesOf(days, true)[1]?.replace(/^.*abc, /, "");
  const said = (days: number) => `valid until 2027-01-01T00:00:00.000Z, ${days} days`;
  expect(coloured(30)).toBe(said(30));
  expect(coloured(29.9)).toBe(paint.yellow(said(29)));
  expect(coloured(0)).toBe(paint.yellow(said(0)));
  expect(coloured(-0.1)).toBe(paint.red("expired at 2027-01-01T00:00:00.000Z"));
  expect(renderStatus({ ...status, certificates: [] }, paint)).not.toContain("valid until");
});
