import { dataOf, refusal } from './errors.mjs';

/** Follows what a client has opened: an async iterable of results, or one result that is an error. */
export function followed(opening, onNext) {
  let iterator;
  const read = async (opened) => {
    if (!opened[Symbol.asyncIterator]) return dataOf(opened);
    iterator = opened[Symbol.asyncIterator]();
    for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
      onNext(dataOf(step.value));
    }
  };
  return { done: opening.then(read).catch(refusal), unsubscribe: () => iterator.return() };
}
