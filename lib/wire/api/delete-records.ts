/** DeleteRecords (KIP-107): moves the log start of partitions forward. */
import { deleteRecords } from "../../kafka/protocol/api/delete-records.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaCodeOf } from "../errors.ts";

export const deleteRecordsHandler: Handler = handlerOf(deleteRecords, async ({ topics }, call) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, offset }) => {
          if (!may(call, "admin", name)) return { partitionIndex, ...topicForbidden("admin", name), lowWatermark: -1 };
          try {
            return {
              partitionIndex,
              errorCode: 0,
              lowWatermark: await call.surface.log.deleteRecords(name, partitionIndex, offset),
            };
          } catch (error) {
            return { partitionIndex, errorCode: kafkaCodeOf(call.surface.judge(error, "DeleteRecords")), lowWatermark: -1 };
          }
        }),
      ),
    })),
  ),
}));
