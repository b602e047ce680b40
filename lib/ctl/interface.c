/* SPDX-License-Identifier: MIT
 *
 * The interface text (Varlink's definition language) and org.varlink.service.
 *
 * varlinkctl info unix:/run/etld/control
 * varlinkctl introspect unix:/run/etld/control io.etld.Control
 * varlinkctl call unix:/run/etld/control io.etld.Control.Next '{"job":"airqino","count":3}'
 * The text is made from the table, so it cannot fall behind the commands.
 */
#include "ctl/interface.h"

#include "base/str.h"
#include "ctl/commands.h"

/* As https://varlink.org/Service has it; what implements it is below. */
static const char service_text[] =
	"# What every Varlink service answers\n"
	"interface " ETL_CTL_SERVICE "\n\n"
	"method GetInfo() -> (vendor: string, product: string, version: string, url: string, "
	"interfaces: []string)\n\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
	"error InterfaceNotFound (interface: string)\n\n"
	"error MethodNotFound (method: string)\n\n"
	"error InvalidParameter (parameter: string)\n";

/* Times, jobs and partitions travel as they were typed: only the daemon knows the jobs, so it
 * alone judges "station=X" or "2026-07-01". */
static const char *type_text(enum etl_arg_type type)
{
	return type == ETL_ARG_INT ? "int" : type == ETL_ARG_FLAG ? "bool" : "string";
}

/* # The slots to come of a job's schedule
 * method Next(job: string, count: ?int, from: ?string) -> (schema: string, ...)
 * A question mark is Varlink's "may be null". Local arguments are no part of the protocol. */
static void add_method(const struct etl_command *command, struct etl_buf *out)
{
	const char *comma = "";

	etl_buf_printf(out, "\n# %s%s\nmethod %s(", command->summary,
		command->access == ETL_ACCESS_OPERATE ? " (for operators)" : "",
		command->method);
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		if (arg->flags & ETL_ARG_LOCAL)
			continue;
		etl_buf_printf(out, "%s%s: %s%s", comma, arg->wire,
			arg->flags & ETL_ARG_REQUIRED ? "" : "?", type_text(arg->type));
		comma = ", ";
	}
	etl_buf_printf(out, ") -> %s\n", command->reply);
}

void etl_ctl_interface_text(struct etl_buf *out)
{
	etl_buf_str(out, "# Querying and controlling etld\ninterface " ETL_CTL_INTERFACE "\n");
	ETL_COMMANDS_EACH(command)
		if (command->method)
			add_method(command, out);
	for (int i = ETL_CTL_OK + 1; i < ETL_CTL_ERROR_MAX; i++) {
		const char *name = etl_ctl_error_name((enum etl_ctl_error)i);

		/* Those of org.varlink.service are declared there. */
		if (etl_starts_with(name, ETL_CTL_INTERFACE "."))
			/* "io.etld.Control.Busy" is declared as Busy; the size of the
			 * interface's name counts a NUL, in whose place the dot stands. */
			etl_buf_printf(out,
				"\n# %s\nerror %s (message: string, hint: ?string)\n",
				etl_ctl_error_meaning((enum etl_ctl_error)i),
				name + sizeof ETL_CTL_INTERFACE);
	}
}

/* {"vendor":"etld","product":"etld","version":"...","url":"","interfaces":[...]}: what
 * `varlinkctl info` shows. The specification wants all five; there is no address to give. */
static void answer_info(const char *version, struct etl_buf *out)
{
	struct etl_json *reply = etl_json_object();
	struct etl_json *interfaces;

	etl_json_add_text(reply, "vendor", "etld");
	etl_json_add_text(reply, "product", "etld");
	etl_json_add_text(reply, "version", version);
	etl_json_add_text(reply, "url", "");
	interfaces = etl_json_add_array(reply, "interfaces");
	etl_json_add_text(interfaces, NULL, ETL_CTL_SERVICE);
	etl_json_add_text(interfaces, NULL, ETL_CTL_INTERFACE);
	etl_ctl_reply_append(out, reply, false);
}

/* Details of an error, with one member. */
static struct etl_json *detail(const char *key, const char *value)
{
	struct etl_json *details = etl_json_object();

	etl_json_add_text(details, key, value);
	return details;
}

/* Half of a message: the text stands inside a JSON string, where each line break is two
 * bytes. */
static void answer_description(const struct etl_ctl_request *request, struct etl_buf *out)
{
	const char *wanted = etl_json_text(request->parameters, "interface", NULL);
	ETL_BUF_CLEANUP struct etl_buf text;
	struct etl_json *reply;

	etl_buf_init(&text, ETL_CTL_MESSAGE_MAX / 2);
	if (wanted && etl_streq(wanted, ETL_CTL_INTERFACE)) {
		etl_ctl_interface_text(&text);
	} else if (wanted && etl_streq(wanted, ETL_CTL_SERVICE)) {
		etl_buf_str(&text, service_text);
	} else {
		etl_ctl_error_append(out, ETL_CTL_INVALID_PARAMETER, "no such interface",
			"org.varlink.service.GetInfo lists them",
			detail("parameter", "interface"));
		return;
	}
	reply = etl_json_object();
	etl_json_add_text(reply, "description", etl_buf_text(&text));
	etl_ctl_reply_append(out, reply, false);
}

bool etl_ctl_service_answer(const struct etl_ctl_request *request, const char *version,
	struct etl_buf *out)
{
	/* First of all, since nearly every request is one of these. */
	if (etl_command_by_method(request->method))
		return false;
	/* Answered by silence, an unknown method too: the caller does not read. */
	if (request->oneway)
		return true;
	if (etl_streq(request->method, ETL_CTL_SERVICE ".GetInfo"))
		answer_info(version, out);
	else if (etl_streq(request->method, ETL_CTL_SERVICE ".GetInterfaceDescription"))
		answer_description(request, out);
	else
		etl_ctl_error_append(out, ETL_CTL_METHOD_NOT_FOUND, "there is no such method",
			NULL, detail("method", request->method));
	return true;
}
