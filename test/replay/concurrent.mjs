// concurrent.mjs - replays a recording of two authors: each transaction is made at the state that its author really had.

import { Agent } from './agent.mjs';
import { knowledge, txnToDelta } from './traces.mjs';

const LARGEST_MESSAGE = 100; // pieces

// sites[agent] decides ties. Resolves to the agents, all at the head of the document.
export async function replayConcurrent(trace, { url, doc, sites, progress = () => {} }) {
  if (trace.agents !== 2)
    throw new Error(`${trace.agents} authors: what more than two had seen is not always a prefix of one linear history`);
  const agents = sites.map((site, i) => new Agent({ url, doc, site, user: `agent${i}` }));
  await Promise.all(agents.map((agent) => agent.open()));
  const seen = knowledge(trace);
  for (const [i, txn] of trace.txns.entries()) {
    const agent = agents[txn.agent];
    const other = agents[1 - txn.agent];
    const foreign = seen[i][1 - txn.agent];
    if (foreign > agent.counts.events) {
      await agent.flush(); // at the version that it has now, before it learns more
      if (other.committed < foreign) await other.flush();
    }
    await agent.make(txnToDelta(txn), foreign);
    if (agent.clock - agent.committed >= LARGEST_MESSAGE) await agent.flush();
    progress(i + 1, trace.txns.length);
  }
  for (const agent of agents) await agent.flush();
  for (const agent of agents) await agent.takeVersion(trace.txns.length);
  return agents;
}
