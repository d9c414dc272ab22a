// Which step of a figure sends to which: the rungs of the ladder that `trace` draws.
//
// Pure data from the patent application's text on Fig. 4, Fig. 4A and Fig. 5. A connect reaches
// its accept, a send its receive. Steps that are not listed happen on one side alone.

export type Figure = "4" | "4A" | "5";

/** From the sending side's step to the receiving side's. */
export interface Rung {
  readonly from: "server" | "client";
  readonly server: string;
  readonly client: string;
}

export const FIGURE_TITLES: Readonly<Record<Figure, string>> = {
  "4": "Fig. 4   network connections of a file-system job",
  "4A": "Fig. 4A  storage connection of a file-system job, set up in parallel",
  "5": "Fig. 5   database job: the network only introduces, then storage carries all",
};

/** By what a side begins a figure that a job may perform again. */
export const FIRST_STEPS: Readonly<
  Partial<Record<Figure, { readonly server: string; readonly client: string }>>
> = { "4": { server: "82", client: "112" } };

export const RUNGS: Readonly<Record<Figure, readonly Rung[]>> = {
  "4": [
    { from: "server", server: "86", client: "118" },
    { from: "server", server: "90", client: "120" },
    { from: "client", server: "92", client: "122" },
    { from: "server", server: "98", client: "124" },
    { from: "server", server: "100", client: "126" },
  ],
  "4A": [
    { from: "server", server: "136", client: "158" },
    { from: "server", server: "138", client: "160" },
    { from: "client", server: "140", client: "170" },
    { from: "server", server: "146", client: "172" },
  ],
  "5": [
    { from: "client", server: "222", client: "194" },
    { from: "client", server: "224", client: "196" },
    { from: "server", server: "226", client: "196A" },
    { from: "server", server: "234", client: "198" },
    { from: "server", server: "236", client: "200" },
    { from: "client", server: "238", client: "210" },
    { from: "server", server: "244", client: "212" },
  ],
};
