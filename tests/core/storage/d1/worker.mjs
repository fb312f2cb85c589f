// A Worker that executes statements on its D1 databases, with prepare, bind and batch.
//
// A request has { database, statements: [{ sql, values }] }. Bytes are { base64 }. The response has
// the results of batch, or the error's message.
const decode = (value) =>
  value?.base64 === undefined
    ? value
    : Uint8Array.from(atob(value.base64), (character) => character.charCodeAt(0));

async function execute(binding, statements) {
  const batch = statements.map(({ sql, values }) => {
    const statement = binding.prepare(sql);
    return values.length ? statement.bind(...values.map(decode)) : statement;
  });
  return binding.batch(batch);
}

export default {
  async fetch(request, env) {
    const { database, statements } = await request.json();
    try {
      return Response.json({ results: await execute(env[database], statements) });
    } catch (error) {
      return Response.json({ error: String(error.message) });
    }
  },
};
