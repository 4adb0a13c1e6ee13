/** Lets calls in while the storage is open and sound, and waits for those that are under way. */
import { StorageError } from "../../ports/index.ts";

export class Gate {
  #underWay = 0;
  #closed: StorageError | undefined;
  #broken: StorageError | undefined;
  #idle: (() => void) | undefined;

  /** Why a call would be refused now. */
  refusal(writes: boolean): StorageError | undefined {
    return this.#closed ?? (writes ? this.#broken : undefined);
  }

  read<T>(run: () => Promise<T>): Promise<T> {
    return this.#run(this.refusal(false), run);
  }

  write<T>(run: () => Promise<T>): Promise<T> {
    return this.#run(this.refusal(true), run);
  }

  /** From now on nothing is written: what the disk holds is known again when the storage is opened anew. */
  break(why: string): StorageError {
    this.#broken ??= new StorageError("unavailable", `${why}; nothing is written until the storage is opened again`);
    return this.#broken;
  }

  /** Refuses calls from now on, and resolves when those before are over. */
  async close(): Promise<void> {
    this.#closed ??= new StorageError("unavailable", "the storage is closed");
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      const before = this.#idle;
      this.#idle = () => {
        before?.();
        resolve();
      };
    });
  }

  async #run<T>(refusal: StorageError | undefined, run: () => Promise<T>): Promise<T> {
    if (refusal !== undefined) throw refusal;
    this.#underWay++;
    try {
      return await run();
    } finally {
      if (--this.#underWay === 0) this.#idle?.();
    }
  }
}
