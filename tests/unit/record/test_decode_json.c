/* SPDX-License-Identifier: MIT
 *
 * The decoder's rules, one table row each; then every document in every cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "json_helper.h"

#define D19 "1234567890123456789"

/* `told` begins with what stands here. */
static const struct {
	const char *pointer, *text, *told;
} rules[] = {
	/* values */
	{"", "{\"a\":1}", "0 {\"a\":1}\n"},
	{"", " \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \n", "0 {\"a\":1,\"b\":[]}\n"},
	{"", "[{\"a\":1},{\"b\":2}]", "0 {\"a\":1}\n1 {\"b\":2}\n"},
	{"", "[]", ""},
	{"", "[{}]", "0 {}\n"},
	{"", "{\"a\":{},\"b\":[[],{}]}", "0 {\"a\":{},\"b\":[[],{}]}\n"},
	{"", "{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12]}",
		"0 {\"a\":[1,2,3,4,5,6,7,8,9,10,11,12]}\n"},
	{"", "{\"a\":true,\"b\":false,\"c\":null}", "0 {\"a\":true,\"b\":false,\"c\":null}\n"},
	{"", "{\"a\":\"\"}", "0 {\"a\":\"\"}\n"},
	{"", "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\\"\\\\\\/\"}",
		"0 {\"a\":\"é😀\\n\\\"\\\\/\"}\n"},
	{"", "{\"a\":\"é😀 a longer text than sixteen bytes é\"}",
		"0 {\"a\":\"é😀 a longer text than sixteen bytes é\"}\n"},
	{"", "{\"PM2.5\":1,\"$gt\":2,\"_id\":3}", "0 {\"PM2.5\":1,\"$gt\":2,\"_id\":3}\n"},
	{"", "{\"d\":{\"$date\":5}}", "0 {\"d\":{\"$date\":5}}\n"},
	{"", "{\"\\u0061\":1}", "0 {\"a\":1}\n"},
	{"", "\xef\xbb\xbf{\"a\":1}", "0 {\"a\":1}\n"},
	/* numbers */
	{"", "{\"a\":2147483647,\"b\":2147483648}", "0 {\"a\":2147483647,\"b\":2147483648}\n"},
	{"", "{\"a\":9223372036854775807}", "0 {\"a\":9223372036854775807}\n"},
	{"", "{\"a\":-9223372036854775808}", "0 {\"a\":-9223372036854775808}\n"},
	{"", "{\"a\":18446744073709551615}", "0 {\"a\":18446744073709551615}\n"},
	{"", "{\"a\":9007199254740993}", "0 {\"a\":9007199254740993}\n"},
	{"", "{\"a\":0.1,\"b\":-0,\"c\":-0.0,\"d\":0.0}",
		"0 {\"a\":0.1,\"b\":-0.0,\"c\":-0.0,\"d\":0.0}\n"},
	/* more than sixteen digits behind the point, with enough text behind them for the
	 * reader of short numbers */
	{"", "{\"a\":0.30000000000000004,\"b\":\"" D19 D19 D19 "\"}",
		"0 {\"a\":0.30000000000000004,\"b\":\"" D19 D19 D19 "\"}\n"},
	{"", "{\"a\":-0.098000000000000004,\"b\":\"" D19 D19 D19 "\"}",
		"0 {\"a\":-0.098,\"b\":\"" D19 D19 D19 "\"}\n"},
	{"", "{\"a\":1e2,\"b\":1E+2,\"c\":1.5e-2}",
		"0 {\"a\":100.0,\"b\":100.0,\"c\":0.015}\n"},
	{"", "{\"a\":0." D19 "}", "0 {\"a\":0." D19 "}\n"},
	{"", "{\"a\":1." D19 D19 "}",
		"0 reject /a: a number that no BSON type holds exactly: "},
	{"", "{\"a\":1e999}", "0 {\"a\":1E+999}\n"},
	{"", "{\"a\":1e-999}", "0 {\"a\":1E-999}\n"},
	{"", "{\"a\":1e9999}", "0 reject /a: a number that"},
	{"", "{\"a\":1e99999999999999999999}", "0 reject /a: a number that"},
	{"", "{\"a\":0e99999}", "0 {\"a\":0.0}\n"},
	{"", "{\"a\":1.7976931348623157e308}", "0 {\"a\":1.7976931348623157e+308}\n"},
	{"", "{\"a\":100000000000000000000000}", "0 {\"a\":1e+23}\n"},
	/* what spoils one record */
	{"", "[{\"a\":\"\\ud800\"},{\"b\":2}]",
		"1 {\"b\":2}\n0 reject /a: a lone surrogate: {\"a\":\"\\ud800\"}\n"},
	{"", "[{\"a\":\"\\udc00\\ud800\"}]", "0 reject /a: a lone surrogate"},
	{"", "[{\"a\":\"\\ud800\\u0041\"}]", "0 reject /a: a lone surrogate"},
	{"", "[{\"a\":\"\\ud83dx\"}]", "0 reject /a: a lone surrogate"},
	{"", "[{\"a\":\"\\u0000\"}]", "0 reject /a: the character U+0000"},
	{"", "[{\"a\\u0000b\":1}]", "0 reject /a: the character U+0000"},
	{"", "[{\"a\":\"\\x\"}]", "0 reject /a: an unknown escape"},
	{"", "[{\"a\":\"\\u12g4\"}]", "0 reject /a: a \\u escape"},
	{"", "[{\"a\":\"x\ny\"}]", "0 reject /a: a control byte"},
	{"", "[{\"a\":\"\xff\xfe\"},{}]", "1 {}\n0 reject /a: bytes that are not UTF-8"},
	{"", "[{\"a\":\"\xc0\xaf\"}]", "0 reject /a: bytes"},
	{"", "[{\"a\":\"\xed\xa0\x80\"}]", "0 reject /a: bytes"},
	{"", "[{\"a\":\"\xf4\x90\x80\x80\"}]", "0 reject /a: bytes"},
	{"", "[{\"a\":\"\xe2\x82\"}]", "0 reject /a: bytes"},
	{"", "[{\"a\":1,\"a\":2},{\"a\":3}]",
		"1 {\"a\":3}\n0 reject /a: a key that appears twice"},
	{"", "[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2,\"a\":3}]",
		"0 {\"a\":1,\"b\":2}\n1 reject /a: a key that"},
	{"", "[{\"x\":[{\"a\":1},{\"a\":2}]},{\"x\":[{\"a\":1,\"a\":2}]}]",
		"0 {\"x\":[{\"a\":1},{\"a\":2}]}\n1 reject /x/0/a: a key that"},
	{"", "[{\"a\":{\"b\":1},\"b\":2},{\"a\":1,\"b\":1,\"b\":2}]",
		"0 {\"a\":{\"b\":1},\"b\":2}\n1 reject /b: a key that"},
	{"", "[{\"a\":1,\"\\u0061\":2}]", "0 reject /a: a key that"},
	{"", "[{\"\":1}]", "0 reject /: an empty key"},
	{"", "[{\"a\":NaN}]", "0 reject /a: NaN"},
	{"", "[{\"a\":[1,Infinity]}]", "0 reject /a/1: NaN"},
	{"", "[{\"a\":-Infinity}]", "0 reject /a: Infinity"},
	{"", "[1,{\"a\":1},\"x\",null,[{}]]",
		"1 {\"a\":1}\n0 reject : a record has to be an object: 1\n"
		"2 reject : a record has to be an object: \"x\"\n"
		"3 reject : a record has to be an object: null\n"
		"4 reject : a record has to be an object: [{}]\n"},
	{"", "12", "error json.records: the answer has a number where its records"},
	{"", "\"x\"", "error json.records: the answer has a text where its records"},
	{"", "null", "error json.records: the answer has null where"},
	{"/d", "{\"d\":false}", "error json.records: the answer has true or false where"},
	{"/d", "{\"d\":\"no data\"}", "error json.records: the answer has a text where"},
	{"/d/*/v", "{\"d\":{\"A\":{\"v\":[{\"a\":1}]},\"B\":{\"v\":null}}}",
		"0 {\"a\":1}\nerror json.records: the answer has null"},
	{"/d/*", "{\"d\":{\"A\":null,\"B\":{\"a\":1}}}",
		"1 {\"a\":1}\n0 reject : a record has to be an object: null\n"},
	/* members were there, and none had what is asked for; without members it is proven */
	{"/d/*/v", "{\"d\":{\"A\":{\"error\":1},\"B\":{}}}", "error json.records"},
	{"/d/*/v", "{\"d\":{\"A\":{\"error\":1},\"B\":{\"v\":[]}}}", ""},
	{"/d/*/v", "{\"d\":{}}", ""},
	{"", "{\"a/b~c\":NaN}", "0 reject /a~1b~0c: NaN"},
	/* the frame */
	{"/data", "{\"data\":[{\"a\":1}]}", "0 {\"a\":1}\n"},
	{"/data", "{\"data\":{\"a\":1}}", "0 {\"a\":1}\n"},
	{"/data", "{\"x\":[{\"data\":[{}]}],\"data\":[{\"a\":1}],\"y\":\"]}\"}",
		"0 {\"a\":1}\n"},
	{"/a/1/b", "{\"a\":[0,{\"b\":[{\"c\":1}]},2]}", "0 {\"c\":1}\n"},
	{"/a~1b/m~0n", "{\"a/b\":{\"m~n\":[{\"c\":1}]}}", "0 {\"c\":1}\n"},
	{"/d\xc3\xa9", "{\"d\\u00e9\":[{\"c\":1}]}", "0 {\"c\":1}\n"},
	{"/hourly/*",
		"{\"hourly\":{\"07\":[{\"a\":1}],\"_params\":[\"z\",1,[2]],\"08\":[{\"a\":2},{"
			"\"a\":3}],\"_n\":4}}",
		"0 {\"a\":1}\n1 {\"a\":2}\n2 {\"a\":3}\n"},
	{"/d/*", "{\"d\":{\"_eth0\":{\"a\":1},\"eth1\":{\"a\":2},\"_l\":[{\"a\":3},null]}}",
		"0 {\"a\":1}\n1 {\"a\":2}\n2 {\"a\":3}\n"},
	{"/d/*", "{\"d\":{\"_eth0\":{\"a\":1},\"x\":2}}",
		"0 {\"a\":1}\n1 reject : a record has to be an object: 2\n"},
	{"/*", "{\"s1\":{\"a\":1},\"s2\":{\"a\":2}}", "0 {\"a\":1}\n1 {\"a\":2}\n"},
	{"/*/v", "[{\"v\":[{\"a\":1}]},{\"v\":[{\"a\":2}]}]", "0 {\"a\":1}\n1 {\"a\":2}\n"},
	{"/hourly/*", "{\"hourly\":{}}", ""},
	{"/data", "{\"data\":[]}", ""},
	{"/data", "{\"data\":null}",
		"error json.records: the answer has null where its records should be ('/data'); "
		"'null_records: empty' says"},
	{"/data", "{\"other\":[]}", "error json.records"},
	{"/hourly/*", "{\"hourly\":null}", "error json.records"},
	{"/data", "{\"data\":[],\"data\":[]}", "error json.duplicate"},
	{"data", "{}", "error path.syntax"},
	{"", "", "error json.syntax"},
	{"", " ", "error json.syntax"},
	{"", "\xef\xbb\xbf", "error json.syntax"},
	{"", "\xef\xbb{}", "error json.syntax"},
	{"", "\xef\xbb\xbf\xef\xbb\xbf{}", "error json.syntax"},
	{"", "{\"a\":1}x", "0 {\"a\":1}\nerror json.syntax"},
	{"", "{\"a\":1}{\"a\":2}", "0 {\"a\":1}\nerror json.syntax"},
	{"", "[1", "error json.syntax"},
	{"", "[1 2]", "0 reject : a record has to be an object: 1\nerror json.syntax"},
	{"", "[{\"a\":1},]", "0 {\"a\":1}\nerror json.syntax"},
	{"", "[,{\"a\":1}]", "error json.syntax: a value was expected at byte 1"},
	{"", "[{\"a\":1}", "0 {\"a\":1}\nerror json.syntax"},
	{"", "[{\"a\":1]", "error json.syntax: ',' or '}' was expected at byte 7"},
	{"", "[{\"a\":1},{\"a\":}]",
		"0 {\"a\":1}\nerror json.syntax: a value was expected at byte 14"},
	{"", "{\"a\":1,}", "error json.syntax: a key was expected at byte 7"},
	{"", "{\"a\":[1,]}", "error json.syntax: a value was expected at byte 8"},
	{"", "{\"a\":[,1]}", "error json.syntax"},
	{"", "{\"a\":[1}", "error json.syntax"},
	{"", "{\"a\":{]}", "error json.syntax"},
	{"", "{\"a\" 1}", "error json.syntax"},
	{"", "{\"a\"::1}", "error json.syntax"},
	{"", "{a:1}", "error json.syntax"},
	{"", "{'a':1}", "error json.syntax"},
	{"", "{1:1}", "error json.syntax"},
	{"", "{\"a\":01}", "error json.syntax"},
	{"", "{\"a\":-01}", "error json.syntax"},
	{"", "{\"a\":1.}", "error json.syntax"},
	{"", "{\"a\":.5}", "error json.syntax"},
	{"", "{\"a\":+1}", "error json.syntax"},
	{"", "{\"a\":-}", "error json.syntax"},
	{"", "{\"a\":1e}", "error json.syntax"},
	{"", "{\"a\":1e+}", "error json.syntax"},
	{"", "{\"a\":1.e5}", "error json.syntax"},
	{"", "{\"a\":0x1}", "error json.syntax"},
	{"", "{\"a\":1a}", "error json.syntax"},
	{"", "{\"a\":--1}", "error json.syntax"},
	{"", "{\"a\":1.2.3}", "error json.syntax"},
	{"", "{\"a\":tru}", "error json.syntax"},
	{"", "{\"a\":True}", "error json.syntax"},
	{"", "{\"a\":nul}", "error json.syntax"},
	{"", "{\"a\":falsE}", "error json.syntax"},
	{"", "{\"a\":Na}", "error json.syntax"},
	{"", "{\"a\":\"x}", "error json.syntax"},
	{"", "{\"a\":/**/1}", "error json.syntax"},
	{"", "{\"a\":1,,\"b\":2}", "error json.syntax"},
	{"", "{,\"a\":1}", "error json.syntax"},
	{"", "{\"a\"}", "error json.syntax"},
	{"", "{\"a\":\f1}", "error json.syntax"},
	{"", "\xa0{}", "error json.syntax"},
	{"", "[NaN]", "error json.syntax"},
	{"", "[01]", "error json.syntax"},
	{"", "[tru]", "error json.syntax"},
	{"", "[-]", "error json.syntax"},
	{"", "[1.]", "error json.syntax"},
	{"", "[\"a\x01\"]", "error json.syntax"},
	{"", "]", "error json.syntax"},
	{"", "}", "error json.syntax"},
	{"", "[}", "error json.syntax"},
	{"", "[[{}]", "0 reject : a record has to be an object: [{}]\nerror json.syntax"},
	{"/data", "{\"x\":tru,\"data\":[]}", "error json.syntax"},
	{"/data", "{\"x\":[1,],\"data\":[]}", "error json.syntax"},
	{"/data", "{\"data\":[]", "error json.syntax"},
	{"", "[{\"a\":\"\\ud800\",\"b\":[}]", "error json.syntax: an unexpected bracket"},
	{"", "[{\"a\":\"\\ud800\"", "error json.syntax: the document ends inside a record"},
};

static void check_cuts(const struct etl_layout *spec, const char *text, size_t len)
{
	char *whole = decode_told(spec, text, len, len, 0, false);

	for (size_t cut = 0; cut <= len; cut++) {
		char *told = decode_told(spec, text, len, cut, cut == 0 ? 1 : 0, false);

		assert_string_equal(told, whole);
		free(told);
	}
	free(whole);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct etl_layout spec = {.records = rules[i].pointer};
		size_t len = strlen(rules[i].text);
		char *told = decode_told(&spec, rules[i].text, len, len, 0, true);

		if (!*rules[i].told ? *told != 0 :
				      strncmp(told, rules[i].told, strlen(rules[i].told)) != 0)
			fail_msg("%s: %s\n gave %s\n want %s", rules[i].pointer, rules[i].text,
				told,
				rules[i].told);
		free(told);
	}
}

static void test_rules_in_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct etl_layout spec = {.records = rules[i].pointer};

		check_cuts(&spec, rules[i].text, strlen(rules[i].text));
	}
}

static void tell(const struct etl_layout *spec, const char *text, const char *wanted)
{
	char *told = decode_told(spec, text, strlen(text), strlen(text), 0, true);

	if (strncmp(told, wanted, strlen(wanted)) != 0)
		fail_msg("%s\n gave %s\n want %s", text, told, wanted);
	free(told);
	check_cuts(spec, text, strlen(text));
}

static void test_attach(void **state)
{
	const struct etl_attach attach[] = {{"name", "/header/n"}, {"lat", "/header/lat"}};
	const struct etl_layout spec = {.records = "/data", .attach = attach, .n_attach = 2};

	(void)state;
	tell(&spec,
		"{\"header\":{\"n\":\"S\",\"lat\":5.5},\"data\":[{\"a\":1},{\"name\":7},{\"a\":2"
			"}]}",
		"0 {\"a\":1,\"name\":\"S\",\"lat\":5.5}\n1 {\"name\":7,\"lat\":5.5}\n"
		"2 {\"a\":2,\"name\":\"S\",\"lat\":5.5}\n");
	tell(&spec, "{\"data\":[{\"a\":1},{\"lat\":7}],\"header\":{\"lat\":[5],\"n\":\"S\"}}",
		"0 {\"a\":1,\"name\":\"S\",\"lat\":[5]}\n1 {\"lat\":7,\"name\":\"S\"}\n");
	tell(&spec, "{\"data\":[{\"a\":1}],\"header\":{\"n\":\"S\"}}",
		"0 {\"a\":1,\"name\":\"S\"}\n");
	tell(&spec, "{\"data\":[{\"a\":1}]}", "0 {\"a\":1}\n");
	tell(&spec, "{\"header\":{\"n\":\"\\ud800\"},\"data\":[]}", "error json.attach");
}

/* Each record has the values of its own parent, wherever they stand in it. */
static void test_attach_of_parents(void **state)
{
	const struct etl_attach attach[] = {{"station", "/s/*/id"}, {"unit", "/unit"}};
	const struct etl_layout spec = {.records = "/s/*/v", .attach = attach, .n_attach = 1};
	const struct etl_layout both = {.records = "/s/*/v", .attach = attach, .n_attach = 2};
	const struct etl_attach deep[] = {{"c", "/*/c"}, {"s", "/*/s/*/id"}};
	const struct etl_layout nested = {.records = "/*/s/*/v", .attach = deep, .n_attach = 2};

	(void)state;
	tell(&spec, "{\"s\":[{\"id\":\"A\",\"v\":[{\"a\":1}]},{\"id\":\"B\",\"v\":[{\"a\":2},{"
		"\"a\":3}]}]}",
		"0 {\"a\":1,\"station\":\"A\"}\n1 {\"a\":2,\"station\":\"B\"}\n2 {\"a\":3,\"stat"
			"ion\":\"B\"}\n");
	tell(&spec, "{\"s\":{\"x\":{\"v\":[{\"a\":1}],\"id\":\"A\"},\"y\":{\"v\":{\"a\":2}},\"z"
		"\":{\"v\":[{\"a\":3}],\"id\":[7]}}}",
		"0 {\"a\":1,\"station\":\"A\"}\n1 {\"a\":2}\n2 {\"a\":3,\"station\":[7]}\n");
	/* a record's own field wins, also after one that had none and the other way round */
	tell(&spec, "{\"s\":[{\"v\":[{\"a\":1}]},{\"id\":\"B\",\"v\":[{\"station\":2},{\"a\":3}]"
		"},{\"id\":\"C\",\"v\":[{\"station\":4}]}]}",
		"0 {\"a\":1}\n1 {\"station\":2}\n2 {\"a\":3,\"station\":\"B\"}\n3 {\"station\":4"
			"}\n");
	tell(&spec, "{\"s\":[{\"id\":1,\"id\":2,\"v\":[]}]}", "error json.duplicate");
	/* what belongs to the whole answer may come last */
	tell(&both, "{\"s\":[{\"id\":\"A\",\"v\":[{\"a\":1}]},{\"v\":[{\"a\":2}],\"id\":\"B\"},{"
		"\"v\":[{\"a\":3}]}],\"unit\":\"m\"}",
		"0 {\"a\":1,\"station\":\"A\",\"unit\":\"m\"}\n1 {\"a\":2,\"station\":\"B\",\"un"
			"it\":\"m\"}\n2 {\"a\":3,\"unit\":\"m\"}\n");
	tell(&both, "{\"unit\":\"m\",\"s\":[{\"v\":[{\"a\":1}]},{\"v\":[{\"a\":2}],\"id\":\"B\"}]}",
		"0 {\"a\":1,\"unit\":\"m\"}\n1 {\"a\":2,\"station\":\"B\",\"unit\":\"m\"}\n");
	tell(&nested, "[{\"s\":[{\"v\":[{\"a\":1}],\"id\":1},{\"id\":2,\"v\":[{\"a\":2}]}],\"c"
		"\":\"X\"},{\"c\":\"Y\",\"s\":[{\"id\":3,\"v\":[{\"a\":3}]}]}]",
		"0 {\"a\":1,\"s\":1,\"c\":\"X\"}\n1 {\"a\":2,\"s\":2,\"c\":\"X\"}\n2 {\"a\":3,"
			"\"c\":\"Y\",\"s\":3}\n");
}

static void test_attach_that_means_nothing(void **state)
{
	(void)state;
	assert_null(etl_json_attach_fault("/s/*/v", "/s/*/id"));
	assert_null(etl_json_attach_fault("/s/*/v/*", "/s/*/id"));
	assert_null(etl_json_attach_fault("/s/*/v", "/meta/x"));
	assert_non_null(etl_json_attach_fault("/s/*/v", "/t/*/id"));
	assert_non_null(etl_json_attach_fault("/data", "/s/*"));
	assert_non_null(etl_json_attach_fault("/s/*/v", "/s/*/v/x"));
	assert_non_null(etl_json_attach_fault("/data", "/data/0/x"));
	assert_non_null(etl_json_attach_fault("", "/x"));
	assert_true(etl_json_is_inside("", "/x"));
	assert_true(etl_json_is_inside("/st/*", "/st/a/ok"));
	assert_true(etl_json_is_inside("/st/a", "/st/*/ok"));
	assert_false(etl_json_is_inside("/st/*/rows", "/st/*/ok"));
	assert_false(etl_json_is_inside("/st/*", "/st/a"));
	assert_false(etl_json_is_inside("/st/*", "/s/a/ok"));
	assert_false(etl_json_is_inside("", ""));
}

static void test_null_for_no_records(void **state)
{
	const struct etl_layout spec = {.records = "/d", .null_is_empty = true};
	const struct etl_layout members = {.records = "/*/d", .null_is_empty = true};

	(void)state;
	tell(&spec, "{\"d\":null}", "");
	tell(&spec, "{\"d\":\"null\"}", "error json.records");
	tell(&spec, "{\"e\":null}", "error json.records");
	tell(&members, "[{\"d\":null},{\"d\":[{\"a\":1}]}]", "0 {\"a\":1}\n");
}

static void note(void *ctx, const struct etl_note *n)
{
	for (size_t i = 0; i < n->depth; i++)
		etl_buf_printf(ctx, "/%s", n->names[i]);
	etl_buf_printf(ctx, "=%s%s ", n->text, n->is_string ? "$" : "");
}

/* What stands around the records is told, whatever the pieces are, and nothing of a record. */
static void test_notes(void **state)
{
	const struct etl_layout spec = {.records = "/data"};
	static const char text[] = "{\"n\\u0065xt\":\"a\\/b\",\"data\":[{\"next\":1},2],\"m\":{"
		"\"more\":true,"
				   "\"x\":{\"y\":{\"z\":{\"deep\":1}}}},\"e\":[{\"c\":null},\"t"
					"\"]}";

	(void)state;
	for (size_t piece = 1; piece < sizeof text; piece++) {
		struct etl_json_decoder *d = etl_json_decoder_new(&spec);
		struct etl_batch *batch = etl_batch_new();
		struct etl_error err = ETL_ERROR_INIT;
		struct etl_buf told ETL_BUF_CLEANUP;

		etl_buf_init(&told, 4096);
		etl_json_decoder_watch(d, note, &told);
		for (size_t at = 0; at < sizeof text - 1; at += piece)
			assert_int_equal(feed_exact(d, text + at,
						 piece < sizeof text - 1 - at ? piece : sizeof text - 1 - at,
						 batch, &err), 0);
		assert_int_equal(etl_json_decoder_finish(d, batch, &err), 0);
		assert_string_equal(etl_buf_text(&told),
			"/next=a\\/b$ /m/more=true /e//c=null /e/=t$ ");
		assert_int_equal(etl_json_decoder_records(d), 2);
		assert_false(etl_json_decoder_is_single(d));
		etl_batch_free(batch);
		etl_json_decoder_free(d);
	}
}

static void found(void *ctx, const struct etl_found *f)
{
	etl_buf_printf(ctx, "%s%s%s(%zu)%s ", f->text, f->is_string ? "$" : "", f->is_scalar ? "" : "!",
		f->len, f->is_cut ? "..." : "");
}

/* The value that is sought is told once for each document, whole, wherever it was cut. */
static void test_found(void **state)
{
	static const struct {
		const char *text, *told;
	} documents[] = {
		{"{\"m\":{\"c\":\"a\\/\\u00e9\"},\"data\":[{\"c\":1}]}", "a/\xc3\xa9$(4) "},
		{"{\"data\":[],\"m\":{\"c\":17}}", "17(2) "},
		{"{\"data\":[],\"m\":{\"c\":null}}", "null(4) "},
		{"{\"data\":[],\"m\":{\"c\":\"\"}}", "$(0) "},
		{"{\"data\":[],\"m\":{\"c\":[1]}}", "!(0) "},
		{"{\"data\":[],\"m\":{\"d\":1}}", ""},
		{"{\"data\":[],\"c\":2}", ""},
	};
	const struct etl_expect exists[] = {{"/m", NULL}};
	const struct etl_layout spec = {.records = "/data", .expect = exists, .n_expect = 1};
	const struct etl_layout plain = {.records = "/data"};
	struct etl_buf told ETL_BUF_CLEANUP;

	(void)state;
	etl_buf_init(&told, 4096);
	for (size_t piece = 1; piece < 40; piece++) {
		struct etl_json_decoder *d = etl_json_decoder_new(piece % 2 ? &plain : &spec);
		struct etl_batch *batch = etl_batch_new();
		struct etl_error err = ETL_ERROR_INIT;

		etl_json_decoder_seek(d, "/m/c", found, &told);
		for (size_t i = 0; i < sizeof documents / sizeof *documents - !(piece % 2); i++) {
			const char *text = documents[i].text;
			size_t len = strlen(text);

			etl_buf_clear(&told);
			etl_json_decoder_reset(d);
			for (size_t at = 0; at < len; at += piece)
				assert_int_equal(feed_exact(d, text + at,
					piece < len - at ? piece : len - at, batch, &err), 0);
			assert_int_equal(etl_json_decoder_finish(d, batch, &err), 0);
			assert_string_equal(etl_buf_text(&told), documents[i].told);
		}
		etl_batch_free(batch);
		etl_json_decoder_free(d);
	}
}

static void test_attach_limits(void **state)
{
	const struct etl_attach attach[] = {{"name", "/n"}};
	const struct etl_attach around[] = {{"all", ""}};
	const struct etl_layout held = {
		.records = "/d", .attach = attach, .n_attach = 1, .held_bytes_max = 20};
	const struct etl_layout whole = {.records = "/d", .attach = around, .n_attach = 1};

	(void)state;
	tell(&held, "{\"d\":[{\"a\":1},{\"a\":2}],\"n\":1}", "error json.held");
	tell(&held, "{\"d\":[{\"a\":1}],\"n\":1}", "0 {\"a\":1,\"name\":1}\n");
	tell(&whole, "{\"d\":[{\"a\":1}]}", "error json.attach");
}

static void test_expect(void **state)
{
	const struct etl_expect is_ok[] = {{"/status", "OK"}};
	const struct etl_expect exists[] = {{"/d", NULL}, {"/n", NULL}};
	const struct etl_layout spec = {.records = "/d", .expect = is_ok, .n_expect = 1};
	const struct etl_layout both = {.records = "/d", .expect = exists, .n_expect = 2};
	const struct etl_expect ones[] = {{"/s/*/ok", "1"}};
	const struct etl_layout each = {.records = "/s/*/d", .expect = ones, .n_expect = 1};

	(void)state;
	tell(&spec, "{\"status\":\"O\\u004b\",\"d\":[{\"a\":1}]}", "0 {\"a\":1}\n");
	tell(&spec, "{\"status\":\"ERROR\",\"d\":[{\"a\":1}]}",
		"error json.expect: the answer says 'ERROR' at '/status' where 'OK' is expected\n");
	tell(&spec, "{\"status\":{},\"d\":[]}", "error json.expect");
	tell(&spec, "{\"d\":[]}", "error json.expect");
	tell(&both, "{\"d\":[{\"a\":1}],\"n\":0}", "0 {\"a\":1}\n");
	tell(&both, "{\"d\":[]}", "error json.expect");
	tell(&each, "{\"s\":[{\"ok\":\"1\",\"d\":[{\"a\":1}]},{\"ok\":\"0\",\"d\":[]}]}",
		"0 {\"a\":1}\nerror json.expect: the answer says '0'");
	tell(&each, "{\"s\":[{\"ok\":\"1\",\"d\":[]},{\"ok\":\"1\",\"d\":[]}]}", "");
}

static void test_caps(void **state)
{
	const struct etl_layout deep = {.records = "", .depth_max = 3};
	const struct etl_layout small = {.records = "", .record_bytes_max = 12};

	(void)state;
	tell(&deep, "[{\"a\":[[1]]},{\"a\":[[[1]]]},{}]",
		"0 {\"a\":[[1]]}\n2 {}\n1 reject /a/0/0: nested too deeply: {\"a\":[[[1]]]}\n");
	tell(&small, "[{\"a\":\"1234\"},{\"a\":\"12345\"},{\"b\":1}]",
		"0 {\"a\":\"1234\"}\n2 {\"b\":1}\n1 reject : the record is longer than 12 bytes: ");
}

static void test_nesting_attack(void **state)
{
	const struct etl_layout spec = {.records = ""};
	size_t n = 100000;
	char *text = etl_calloc(6 * n + 64, 1), *p = text, *told;

	(void)state;
	*p++ = '[';
	for (size_t i = 0; i < n; i++)
		p = stpcpy(p, "{\"a\":");
	*p++ = '1';
	memset(p, '}', n);
	p += n;
	p = stpcpy(p, ",{\"b\":1}]");
	told = decode_told(&spec, text, (size_t)(p - text), 1000, 1000, true);
	assert_int_equal(strncmp(told, "1 {\"b\":1}\n0 reject /a/a/a", 25), 0);
	free(told);
	memset(text, '[', n);
	told = decode_told(&spec, text, n, n, 0, true);
	assert_int_equal(strncmp(told, "error json.depth", 16), 0);
	free(told);
	free(text);
}

/* 200,000 keys in one record, cut small: must be linear. */
static void test_wide_record(void **state)
{
	const struct etl_layout spec = {.records = ""};
	size_t n = 200000;
	struct etl_buf text;
	char *told;

	(void)state;
	etl_buf_init(&text, 16 << 20);
	for (size_t i = 0; i < n; i++)
		etl_buf_printf(&text, "%c\"k%zu\":%zu", i ? ',' : '{', i, i);
	etl_buf_str(&text, ",\"k7\":1}");
	told = decode_told(&spec, text.data, text.len, 100, 100, true);
	assert_int_equal(strncmp(told, "0 reject /k7: a key that appears twice", 37), 0);
	free(told);
	etl_buf_fini(&text);
}

/* ---- random documents ------------------------------------------------------------------ */

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

static void random_text(struct etl_buf *out)
{
	static const char *const parts[] = {"a", "Z", " ", "\\n", "\\\"", "\\\\", "\\u00e9",
		"é", "€",
		"😀", "\\ud83d\\ude00", "sixteen bytes run", "/", "\\/", "{", "]", ":", ","};

	etl_buf_char(out, '"');
	for (unsigned i = pick(6); i; i--)
		etl_buf_str(out, parts[pick(sizeof parts / sizeof *parts)]);
	etl_buf_char(out, '"');
}

static void random_value(struct etl_buf *out, unsigned depth)
{
	unsigned kind = pick(depth ? 9 : 7), n = pick(5);

	if (kind == 0)
		random_text(out);
	else if (kind == 1)
		etl_buf_printf(out, "%d", (int)pick(2000000) - 1000000);
	else if (kind == 2)
		etl_buf_printf(out, "%s%u%08u%04u", pick(2) ? "-" : "", pick(900) + 1,
			pick(100000000),
			pick(10000));
	else if (kind == 3)
		etl_buf_printf(out, "%s%u.%0*u", pick(2) ? "-" : "", pick(100000),
			(int)pick(6) + 6,
			pick(1000000));
	else if (kind == 4)
		etl_buf_printf(out, "%u.%ue%d", pick(10), pick(1000000), (int)pick(500) - 250);
	else if (kind < 7)
		etl_buf_str(out, (const char *[]){"true", "false", "null"}[pick(3)]);
	else {
		etl_buf_char(out, kind == 7 ? '[' : '{');
		for (unsigned i = 0; i < n; i++) {
			etl_buf_printf(out, "%s%s", i ? "," : "", pick(4) ? "" : " ");
			if (kind == 8)
				etl_buf_printf(out, "\"k%u\"%s:", i * 7 + pick(7),
					pick(4) ? "" : "\n   ");
			random_value(out, depth - 1);
		}
		etl_buf_char(out, kind == 7 ? ']' : '}');
	}
}

static void test_random_like_libbson(void **state)
{
	const struct etl_layout spec = {.records = ""};
	struct etl_json_decoder *d = etl_json_decoder_new(&spec);
	struct etl_batch *batch = etl_batch_new();
	struct etl_buf text;

	(void)state;
	if (getenv("SEED"))
		seed = strtoull(getenv("SEED"), NULL, 0);
	else
		assert_int_equal(getrandom(&seed, sizeof seed, 0), sizeof seed);
	seed |= 1;
	print_message("# SEED=%llu\n", (unsigned long long)seed);
	etl_buf_init(&text, 1 << 20);
	for (int i = 0; i < 20000; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		bson_error_t error;
		bson_t theirs;
		size_t cut;

		etl_buf_clear(&text);
		etl_buf_str(&text, "{\"a\":");
		random_value(&text, 4);
		etl_buf_str(&text, ",\"b\":");
		random_value(&text, 4);
		etl_buf_char(&text, '}');
		cut = pick((unsigned)text.len);
		etl_json_decoder_reset(d);
		etl_batch_reset(batch);
		assert_int_equal(feed_exact(d, text.data, cut, batch, &err), 0);
		assert_int_equal(feed_exact(d, text.data + cut, text.len - cut, batch, &err),
			0);
		assert_int_equal(etl_json_decoder_finish(d, batch, &err), 0);
		assert_int_equal(batch->n, 1);
		assert_true(bson_init_from_json(&theirs, text.data, (ssize_t)text.len, &error));
		if (theirs.len != batch->records[0].len ||
			memcmp(bson_get_data(&theirs), batch->records[0].bson, theirs.len) != 0)
			fail_msg("differs: %s", text.data);
		bson_destroy(&theirs);
	}
	etl_buf_fini(&text);
	etl_batch_free(batch);
	etl_json_decoder_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_rules_in_every_cut),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_attach_of_parents),
		cmocka_unit_test(test_attach_that_means_nothing),
		cmocka_unit_test(test_null_for_no_records),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_attach_limits),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_nesting_attack),
		cmocka_unit_test(test_wide_record),
		cmocka_unit_test(test_random_like_libbson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
