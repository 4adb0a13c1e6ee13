/** Where a commit is in its partition. Pure. */
export interface Position {
  /** Records from the commit to the log end: those that are lost too, as Kafka's own tools count. */
  readonly lag: number;
  /** Records from the commit to the log start: nobody can read them any more. */
  readonly lostRecords: number;
  /** By so many the commit is above the log end: a consumer that begins there is refused. */
  readonly beyondEnd: number;
}

/** Tools commit -1 to say "from the end" and -2 to say "from the beginning": what is there to be read from. */
export function placeOf(offset: number, log: { readonly start: number; readonly next: number } | undefined): number {
  return offset >= 0 ? offset : offset === -1 ? (log?.next ?? 0) : (log?.start ?? 0);
}

/** The commit must have been read before the log end: so a commit above the end is never only a late look. */
export function positionOf(offset: number, log: { readonly start: number; readonly next: number }): Position {
  return {
    lag: Math.max(0, log.next - offset),
    lostRecords: Math.max(0, Math.min(log.start, log.next) - offset),
    beyondEnd: Math.max(0, offset - log.next),
  };
}
