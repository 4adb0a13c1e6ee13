/** The ways in which records are shown, by media type: each writes records into one document, or one line each. */
import type { RecordView, TimestampType } from "../../kafka/index.ts";
import { writeCloudEvent } from "../cloudevents/out.ts";
import { type Format, writeBare, writeHeaders, writeTyped } from "./payload.ts";
import type { JsonWriter } from "./writer.ts";

export interface Place {
  readonly topic: string;
  readonly partition: number;
  /** What keys and values are to be shown as. */
  readonly format: Format;
}

/** Where the log stood when it was read. */
interface Bounds {
  readonly logStartOffset: number;
  readonly logEndOffset: number;
}

export interface Representation {
  readonly mediaType: string;
  begin(out: JsonWriter, place: Place, bounds: Bounds): void;
  /** `first`: nothing was written before it. */
  record(out: JsonWriter, place: Place, record: RecordView, timestampType: TimestampType, first: boolean): void;
  end(out: JsonWriter, nextOffset: number): void;
}

/** The fields of a record in our own JSON, without the brace that opens them. */
export function writeRecord(out: JsonWriter, place: Place, record: RecordView, timestampType: TimestampType): void {
  out.ascii(`"offset":${record.offset},"timestamp":${record.timestampMs},"timestamp_type":"${timestampType}","key":`);
  writeTyped(out, record.key(), place.format, record, "key");
  out.ascii(',"value":');
  writeTyped(out, record.value(), place.format, record, "value");
  out.ascii(',"headers":');
  writeHeaders(out, record);
  out.ascii("}");
}

const document: Representation = {
  mediaType: "application/json",
  begin(out, { topic, partition }, { logStartOffset, logEndOffset }) {
    out.ascii(
      `{"topic":"${topic}","partition":${partition},"log_start_offset":${logStartOffset},"log_end_offset":${logEndOffset},"records":[`,
    );
  },
  record(out, place, record, timestampType, first) {
    out.ascii(first ? "{" : ",{");
    writeRecord(out, place, record, timestampType);
  },
  end(out, nextOffset) {
    out.ascii(`],"next_offset":${nextOffset}}`);
  },
};

/** One record a line. */
const lines: Representation = {
  mediaType: "application/x-ndjson",
  begin() {},
  record(out, place, record, timestampType) {
    out.ascii("{");
    writeRecord(out, place, record, timestampType);
    out.ascii("\n");
  },
  end() {},
};

function v2(mediaType: string, format: "json" | "binary"): Representation {
  return {
    mediaType,
    begin(out) {
      out.ascii("[");
    },
    record(out, { topic, partition }, record, _timestampType, first) {
      out.ascii(`${first ? "" : ","}{"topic":"${topic}","key":`);
      writeBare(out, record.key(), format, record, "key");
      out.ascii(',"value":');
      writeBare(out, record.value(), format, record, "value");
      out.ascii(`,"partition":${partition},"offset":${record.offset}}`);
    },
    end(out) {
      out.ascii("]");
    },
  };
}

const cloudEvents: Representation = {
  mediaType: "application/cloudevents-batch+json",
  begin(out) {
    out.ascii("[");
  },
  record(out, place, record, _timestampType, first) {
    if (!first) out.ascii(",");
    writeCloudEvent(out, place, record);
  },
  end(out) {
    out.ascii("]");
  },
};

/** The first is what a reader gets who asks for nothing. */
export const REPRESENTATIONS: readonly Representation[] = [
  document,
  lines,
  v2("application/vnd.kafka.json.v2+json", "json"),
  v2("application/vnd.kafka.binary.v2+json", "binary"),
  cloudEvents,
];
