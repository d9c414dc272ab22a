// Which members of a restore plan are wanted, by their order in the plan: a bit each, so that ten
// million of them are a megabyte. Pure.

const FIRST_BYTES = 1024;

export class MemberChoice {
  #bits = new Uint8Array(FIRST_BYTES);
  #count = 0;

  /** Members that are chosen. */
  get count(): number {
    return this.#count;
  }

  add(index: number): void {
    const at = index >>> 3;
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bits.length, at + 1));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    if (this.has(index)) return;
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (index & 7));
    this.#count++;
  }

  has(index: number): boolean {
    return ((this.#bits[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }
}
