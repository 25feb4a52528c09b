import { readFileSync } from 'node:fs';
import { buildSchema, getNamedType, getNullableType, isLeafType, isListType, parse } from 'graphql';
import relay from 'relay-runtime';
import { refusal, Refused } from './errors.mjs';
import { socketTo } from './graphql-ws.mjs';

const { Environment, fetchQuery, Network, Observable, RecordSource, requestSubscription, Store } = relay;
const { commitMutation } = relay;
const SCHEMA = buildSchema(readFileSync(new URL('../../../schema/schema.graphql', import.meta.url), 'utf8'));

export const name = 'relay-runtime';
export const sendsAnyText = true;
export const resumes = true;

export function connect(server) {
  const socket = socketTo(server);
  const environment = new Environment({
    network: Network.create(fetching(server), following(socket)),
    store: new Store(new RecordSource()),
  });
  return {
    ask: (query, variables) => asked(environment, artifact(query), variables),
    subscribe(query, variables, onNext) {
      let subscription;
      const done = new Promise((onCompleted, onError) => {
        const request = { subscription: artifact(query), variables, onNext, onError, onCompleted };
        subscription = requestSubscription(environment, request);
      });
      return { done: done.catch(refusal), unsubscribe: () => subscription.dispose() };
    },
    close: () => socket.dispose(),
  };
}

function asked(environment, request, variables) {
  if (request.params.operationKind === 'query') {
    return fetchQuery(environment, request, variables).toPromise().catch(refusal);
  }
  return new Promise((onCompleted, onError) => {
    commitMutation(environment, { mutation: request, variables, onCompleted, onError });
  }).catch(refusal);
}

function fetching(server) {
  return async ({ text }, variables) => {
    const answer = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query: text, variables }),
    });
    const result = await answer.json();
    if (!result.data) throw new Refused(result.errors);
    return result;
  };
}

function following(socket) {
  return ({ text }, variables) =>
    Observable.create((sink) => socket.subscribe({ query: text, variables }, sink));
}

/** What Relay's compiler would make of a document with one operation, variables and fields. */
function artifact(text) {
  const operation = tried(() => parse(text).definitions[0]);
  const kind = operation?.operation ?? 'query';
  const root = { query: SCHEMA.getQueryType(), mutation: SCHEMA.getMutationType(), subscription: SCHEMA.getSubscriptionType() }[kind];
  const selections = operation ? selected(operation.selectionSet, root) : [];
  const argumentDefinitions = (operation?.variableDefinitions ?? []).map(({ variable }) => ({
    defaultValue: null,
    kind: 'LocalArgument',
    name: variable.name.value,
  }));
  const shared = { argumentDefinitions, name: 'Asked', selections };
  return {
    kind: 'Request',
    fragment: { ...shared, kind: 'Fragment', metadata: null, type: root.name, abstractKey: null },
    operation: { ...shared, kind: 'Operation' },
    params: { cacheID: text, id: null, metadata: {}, name: 'Asked', operationKind: kind, text },
  };
}

function tried(work) {
  try {
    return work();
  } catch {
    return null;
  }
}

function selected(selectionSet, type) {
  return selectionSet.selections.flatMap((field) => {
    const found = type.getFields()[field.name.value];
    if (!found) return [];
    const args = field.arguments.map(({ name, value }) => ({
      kind: 'Variable',
      name: name.value,
      variableName: value.name.value,
    }));
    const shared = { alias: null, args: args.length ? args : null, name: field.name.value, storageKey: null };
    const named = getNamedType(found.type);
    if (isLeafType(named)) return [{ ...shared, kind: 'ScalarField' }];
    return [{
      ...shared,
      kind: 'LinkedField',
      concreteType: named.name,
      plural: isListType(getNullableType(found.type)),
      selections: selected(field.selectionSet, named),
    }];
  });
}
