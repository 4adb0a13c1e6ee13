/**
 * Real flights: three million departures in the United States, collected by the Bureau of Transportation Statistics, as
 * the npm package vega-datasets has them (a Parquet file of 13 MB).
 */
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";

export interface Flight {
  /** Airport of origin. */
  readonly key: string;
  /** The flight as JSON. */
  readonly value: string;
  /** Scheduled departure. */
  readonly timestampMs: number;
}

export interface Flights {
  /** How many there are. */
  readonly rows: number;
  /** In the order of the file, some thousands at a time. */
  read(rows: number): AsyncGenerator<Flight[], void, void>;
}

const CHUNK_ROWS = 2000;

export async function openFlights(): Promise<Flights> {
  // The package exports its code alone; the data lies beside it.
  const data = new URL("../data/flights-3m.parquet", import.meta.resolve("vega-datasets"));
  const file = await asyncBufferFromFile(fileURLToPath(data));
  const metadata = await parquetMetadataAsync(file);
  const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) };
  return {
    rows: Number(metadata.num_rows),
    async *read(rows) {
      let groupStart = 0;
      for (const group of metadata.row_groups) {
        const groupEnd = Math.min(rows, groupStart + Number(group.num_rows));
        if (groupEnd <= groupStart) return;
        const found = await parquetReadObjects({ file, metadata, compressors, rowStart: groupStart, rowEnd: groupEnd });
        for (let at = 0; at < found.length; at += CHUNK_ROWS) yield found.slice(at, at + CHUNK_ROWS).map(flightOf);
        groupStart = groupEnd;
      }
    },
  };
}

function flightOf(row: Record<string, unknown>): Flight {
  const { date, delay, distance, origin, destination } = row as {
    date: Date;
    delay: bigint;
    distance: bigint;
    origin: string;
    destination: string;
  };
  const value = JSON.stringify({
    date: date.toISOString(),
    delay: Number(delay),
    distance: Number(distance),
    origin,
    destination,
  });
  return { key: origin, value, timestampMs: date.getTime() };
}
