/** The rules of the protocol, each of which can be taken out to see what it is for. */
export const RULES = {
  appendLooksAtFloor: true,
  floorBeforeLook: true,
  dropLooksAtTailBase: true,
  runsWaitForAnswers: true,
  segmentsAreStillThere: true,
  fence: true,
  offsetsAreRolledOnce: true,
  segmentWins: true,
  readsFromWhereItBegins: true,
  sweeperRaisesFloor: true,
  sweeperReadsHeadFirst: true,
  sweeperRaisesFence: true,
  sharedBlobsWait: true,
  startBeforeDeletion: true,
};

export type Rules = Readonly<Record<keyof typeof RULES, boolean>>;
