/** DeleteRecords (KIP-107): moves the log start of partitions forward. */
import { deleteRecords } from "../../kafka/protocol/api/delete-records.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaCodeOf } from "../errors.ts";

export const deleteRecordsHandler: Handler = handlerOf(deleteRecords, async ({ topics }, { surface }) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, offset }) => {
          try {
            return { partitionIndex, errorCode: 0, lowWatermark: await surface.log.deleteRecords(name, partitionIndex, offset) };
          } catch (error) {
            return { partitionIndex, errorCode: kafkaCodeOf(surface.judge(error, "DeleteRecords")), lowWatermark: -1 };
          }
        }),
      ),
    })),
  ),
}));
