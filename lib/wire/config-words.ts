/** Kafka's numbers for resources that have configs, where a config comes from, and its type. */
export const RESOURCE = { topic: 2, broker: 4, group: 32 } as const;

export const CONFIG_SOURCE = { topic: 1, broker: 4, default: 5, group: 8 } as const;

const TYPES: Readonly<Record<string, number>> = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7 };

/** 0 where it is not known. */
export function configType(word: string): number {
  return TYPES[word] ?? 0;
}
