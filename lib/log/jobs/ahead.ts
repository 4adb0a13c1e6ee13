/** The same, with the next one asked for while one is worked on. */
export async function* ahead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = source.next();
  try {
    for (;;) {
      const one = await next;
      if (one.done === true) return;
      next = source.next();
      // Where nobody comes for it, its failure is nobody's.
      next.catch(() => undefined);
      yield one.value;
    }
  } finally {
    await next.catch(() => undefined);
    await source.return(undefined);
  }
}
