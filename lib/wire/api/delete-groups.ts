/** DeleteGroups: groups without members, with their offsets. */
import { deleteGroups } from "../../kafka/protocol/api/delete-groups.ts";
import { type Handler, handlerOf } from "../call.ts";
import { groupCodeOf, groupsFor } from "../groups.ts";

export const deleteGroupsHandler: Handler = handlerOf(deleteGroups, async ({ groupsNames }, call) => ({
  results: await Promise.all(
    groupsNames.map(async (groupId) => {
      try {
        await groupsFor(call, "admin", groupId).delete(groupId);
        return { groupId, errorCode: 0 };
      } catch (error) {
        return { groupId, errorCode: groupCodeOf(call, error, "DeleteGroups") };
      }
    }),
  ),
}));
