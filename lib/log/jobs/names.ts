/** The jobs behind the writers, by name. */
export const JOB_NAMES = ["roll", "merge", "compact", "retain", "sweep"] as const;

export type JobName = (typeof JOB_NAMES)[number];
