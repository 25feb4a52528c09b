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
