/** An error as every client is to say it: with the errors of the server. */
export class Refused extends Error {
  constructor(errors) {
    super(JSON.stringify(errors));
    this.errors = errors;
  }
}

/** The data of a result, or what the server has refused. */
export function dataOf({ data, errors }) {
  if (errors?.length) throw new Refused(errors);
  return data;
}

/** Throws what a client has reported; graphql-ws reports the server's errors as a plain list. */
export function refusal(error) {
  throw Array.isArray(error) ? new Refused(error) : error;
}
