// The scanner that judges JSON: grammar, UTF-8, depth, where a text goes wrong, and the members it finds.
// The cases' names are those of JSONTestSuite (https://github.com/nst/JSONTestSuite) where it has one like them.
#include "base/json.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "support.h"

namespace leadline {
namespace {

using namespace std::string_literals;

struct Case {
  const char* name;
  std::string text;
};

bool accepts(std::string_view text) { return !scan_json(text).has_value(); }

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::string in_quotes(std::string_view text) { return '"' + std::string(text) + '"'; }

TEST_CASE("json: what RFC 8259 allows is accepted") {
  const std::vector<Case> cases = {
      {"y_array_arraysWithSpaces", "[[]   ]"},
      {"y_array_empty", "[]"},
      {"y_array_empty-string", "[\"\"]"},
      {"y_array_ending_with_newline", "[\"a\"]\n"},
      {"y_array_heterogeneous", "[null, 1, \"1\", {}]"},
      {"y_array_with_1_and_newline", "[1\n]"},
      {"y_array_with_leading_space", " [1]"},
      {"y_array_with_several_null", "[1,null,null,null,2]"},
      {"y_number_0e1", "[0e+1]"},
      {"y_number_0e", "[0E1]"},
      {"y_number_after_space", "[ 4]"},
      {"y_number_double_close_to_zero", "[-0.000000000000000000000000000000000000000000000000000000000000000001]"},
      {"y_number_huge", "[9007199254740993123456789012345678901234567890]"},
      {"y_number_int_with_exp", "[20e1]"},
      {"y_number_minus_zero", "[-0]"},
      {"y_number_negative_int", "[-123]"},
      {"y_number_real_capital_e_neg_exp", "[1E-2]"},
      {"y_number_real_exponent", "[123.456e78]"},
      {"y_number_beyond_a_double", "[1e400, -1e400, 1e-400]"},
      {"y_object_basic", "{\"asd\":\"sdf\"}"},
      {"y_object_duplicated_key", "{\"a\":\"b\",\"a\":\"c\"}"},
      {"y_object_empty", "{}"},
      {"y_object_empty_key", "{\"\":0}"},
      {"y_object_escaped_null_in_key", "{\"foo\\u0000bar\": 42}"},
      {"y_object_with_newlines", "{\n\"a\": \"b\"\n}"},
      {"y_object_nested", "{\"a\":{\"b\":[{\"c\":[]},{}]},\"d\":[[[]]]}"},
      {"y_string_allowed_escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"},
      {"y_string_backslash_and_u_escaped_zero", "[\"\\\\u0000\"]"},
      {"y_string_escaped_noncharacter", "[\"\\uFFFF\"]"},
      {"y_string_accepted_surrogate_pair", "[\"\\uD801\\udc37\"]"},
      {"y_string_lone_surrogate", "[\"\\ud800\"]"},
      {"y_string_lone_low_surrogate", "[\"\\uDFFF\"]"},
      {"y_string_null_escape", "[\"\\u0000\"]"},
      {"y_string_del_character", "[\"a\x7F\"]"},
      {"y_string_u+2028_line_sep", "[\"\xE2\x80\xA8\"]"},
      {"y_string_noncharacter", "[\"\xEF\xBF\xBF\"]"},
      {"y_string_zero_width_bom_inside", "[\"\xEF\xBB\xBF\"]"},
      {"y_string_with_comments_inside", "[\"a/*b*/c/*d//e\"]"},
      {"y_structure_lonely_false", "false"},
      {"y_structure_lonely_true", "true"},
      {"y_structure_lonely_null", "null"},
      {"y_structure_lonely_int", "42"},
      {"y_structure_lonely_negative_real", "-0.1"},
      {"y_structure_lonely_string", "\"asd\""},
      {"y_structure_string_empty", "\"\""},
      {"y_structure_trailing_newline", "[\"a\"]\n"},
      {"y_structure_whitespace_array", " [] "},
      {"y_structure_all_blanks",
       " \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n1 \t\r\n, \t\r\n\"b\" \t\r\n: \t\r\n2 \t\r\n} \t\r\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    CHECK(accepts(one.text));
  }
}

TEST_CASE("json: arrays and numbers that RFC 8259 does not allow are refused") {
  const std::vector<Case> cases = {
      {"n_array_1_true_without_comma", "[1 true]"},
      {"n_array_colon_instead_of_comma", "[\"\": 1]"},
      {"n_array_comma_after_close", "[\"\"],"},
      {"n_array_comma_and_number", "[,1]"},
      {"n_array_double_comma", "[1,,2]"},
      {"n_array_double_extra_comma", "[\"x\",,]"},
      {"n_array_extra_close", "[\"x\"]]"},
      {"n_array_extra_comma", "[\"\",]"},
      {"n_array_incomplete", "[\"x\""},
      {"n_array_inner_array_no_comma", "[3[4]]"},
      {"n_array_just_comma", "[,]"},
      {"n_array_just_minus", "[-]"},
      {"n_array_missing_value", "[   , \"\"]"},
      {"n_array_newlines_unclosed", "[\"a\",\n4\n,1,"},
      {"n_array_star_inside", "[*]"},
      {"n_array_closed_as_object", "[1}"},
      {"n_incomplete_false", "[fals]"},
      {"n_incomplete_null", "[nul]"},
      {"n_incomplete_true", "[tru]"},
      {"n_capitalized_True", "[True]"},
      {"n_number_++", "[++1234]"},
      {"n_number_+1", "[+1]"},
      {"n_number_+Inf", "[+Inf]"},
      {"n_number_-01", "[-01]"},
      {"n_number_-1.0.", "[-1.0.]"},
      {"n_number_-2.", "[-2.]"},
      {"n_number_-NaN", "[-NaN]"},
      {"n_number_.-1", "[.-1]"},
      {"n_number_.2e-3", "[.2e-3]"},
      {"n_number_0.1.2", "[0.1.2]"},
      {"n_number_0.3e", "[0.3e]"},
      {"n_number_0.3e+", "[0.3e+]"},
      {"n_number_0.e1", "[0.e1]"},
      {"n_number_0e", "[0e]"},
      {"n_number_1 000", "[1 000.0]"},
      {"n_number_1eE2", "[1eE2]"},
      {"n_number_9.e+3", "[9.e+3]"},
      {"n_number_Inf", "[Inf]"},
      {"n_number_NaN", "[NaN]"},
      {"n_number_hex_1_digit", "[0x1]"},
      {"n_number_infinity", "[Infinity]"},
      {"n_number_invalid+-", "[0e+-1]"},
      {"n_number_minus_space_1", "[- 1]"},
      {"n_number_neg_real_without_int_part", "[-.123]"},
      {"n_number_real_garbage_after_e", "[1ea]"},
      {"n_number_starting_with_dot", "[.123]"},
      {"n_number_then_00", "1\0"s},
      {"n_number_with_alpha", "[1.2a-3]"},
      {"n_number_with_leading_zero", "[012]"},
      {"n_number_full_width_digit", "[\xEF\xBC\x91]"},
      {"n_number_arabic_digit", "[\xD9\xA1]"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    CHECK_FALSE(accepts(one.text));
  }
}

TEST_CASE("json: objects, strings and structures that RFC 8259 does not allow are refused") {
  const std::vector<Case> cases = {
      {"n_object_bad_value", "[\"x\", truth]"},
      {"n_object_bracket_key", "{[: \"x\"}"},
      {"n_object_comma_instead_of_colon", "{\"x\", null}"},
      {"n_object_double_colon", "{\"x\"::\"b\"}"},
      {"n_object_key_with_single_quotes", "{key: 'value'}"},
      {"n_object_lone_continuation_byte_in_key", "{\"\xB9\":\"0\"}"},
      {"n_object_missing_colon", "{\"a\" b}"},
      {"n_object_missing_key", "{:\"b\"}"},
      {"n_object_missing_semicolon", "{\"a\" \"b\"}"},
      {"n_object_missing_value", "{\"a\":"},
      {"n_object_no-colon", "{\"a\""},
      {"n_object_non_string_key", "{1:1}"},
      {"n_object_null_key", "{null:null}"},
      {"n_object_several_trailing_commas", "{\"id\":0,,,,,}"},
      {"n_object_single_quote", "{'a':0}"},
      {"n_object_trailing_comma", "{\"id\":0,}"},
      {"n_object_just_comma", "{,}"},
      {"n_object_two_commas_in_a_row", "{\"a\":\"b\",,\"c\":\"d\"}"},
      {"n_object_trailing_comment", "{\"a\":\"b\"}/**/"},
      {"n_object_trailing_comment_slash_open", "{\"a\":\"b\"}//"},
      {"n_object_with_trailing_garbage", "{\"a\":\"b\"}#"},
      {"n_object_closed_as_array", "{\"a\":1]"},
      {"n_object_value_missing_before_close", "{\"a\":}"},
      {"n_object_value_missing_before_comma", "{\"a\":,\"b\":1}"},
      {"n_string_1_surrogate_then_escape", "[\"\\uD800\\\"]"},
      {"n_string_1_surrogate_then_escape_u", "[\"\\uD800\\u\"]"},
      {"n_string_1_surrogate_then_escape_u1x", "[\"\\uD800\\u1x\"]"},
      {"n_string_escape_x", "[\"\\x00\"]"},
      {"n_string_escaped_backslash_bad", "[\"\\\\\\\"]"},
      {"n_string_escaped_ctrl_char_tab", "[\"\\\t\"]"},
      {"n_string_escaped_emoji", "[\"\\\xF0\x9F\x8C\x80\"]"},
      {"n_string_escaped_nul_byte", "[\"\\\0\"]"s},
      {"n_string_incomplete_escape", "[\"\\\"]"},
      {"n_string_incomplete_escaped_character", "[\"\\u00A\"]"},
      {"n_string_invalid_backslash_esc", "[\"\\a\"]"},
      {"n_string_escape_capital_u", "[\"\\U0041\"]"},
      {"n_string_invalid_unicode_escape", "[\"\\uqqqq\"]"},
      {"n_string_unicode_escape_with_sign", "[\"\\u-041\"]"},
      {"n_string_unicode_escape_with_0x", "[\"\\u0x41\"]"},
      {"n_string_unicode_escape_with_blank", "[\"\\u 041\"]"},
      {"n_string_single_doublequote", "\""},
      {"n_string_single_quote", "['single quote']"},
      {"n_string_no_quotes_with_bad_escape", "[\\n]"},
      {"n_string_start_escape_unclosed", "[\"\\"},
      {"n_string_unescaped_newline", "[\"new\nline\"]"},
      {"n_string_unescaped_tab", "[\"\t\"]"},
      {"n_string_unescaped_nul", "[\"a\0a\"]"s},
      {"n_string_with_trailing_garbage", "\"\"x"},
      {"n_structure_<null>", "[<null>]"},
      {"n_structure_array_trailing_garbage", "[1]x"},
      {"n_structure_ascii-unicode-identifier", "a\xC3\xA5"},
      {"n_structure_capitalized_True", "TRUE"},
      {"n_structure_close_unopened_array", "1]"},
      {"n_structure_comma_instead_of_closing_brace", "{\"x\": true,"},
      {"n_structure_double_array", "[][]"},
      {"n_structure_two_values", "{} {}"},
      {"n_structure_end_array", "]"},
      {"n_structure_incomplete_UTF8_BOM", "\xEF\xBB{}"},
      {"n_structure_no_data", ""},
      {"n_structure_null-byte-outside-string", "[\0]"s},
      {"n_structure_trailing_nul", "{}\0"s},
      {"n_structure_number_with_trailing_garbage", "2@"},
      {"n_structure_only_blanks", " \n\t\r"},
      {"n_structure_open_object", "{"},
      {"n_structure_open_array_object", "[{\"\":[{\"\":"},
      {"n_structure_UTF8_BOM", "\xEF\xBB\xBF{}"},
      {"n_structure_UTF8_BOM_no_data", "\xEF\xBB\xBF"},
      {"n_structure_UTF16_BE", "\0[\0]"s},
      {"n_structure_U+2060_word_joined", "[\xE2\x81\xA0]"},
      {"n_structure_no-break_space", "\xC2\xA0[]"},
      {"n_structure_whitespace_formfeed", "[\f]"},
      {"n_structure_vertical_tab", "[1]\v"},
      {"n_structure_unclosed_array_partial_null", "[ false, nul"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    CHECK_FALSE(accepts(one.text));
  }
}

TEST_CASE("json: no beginning of a text is accepted in its place") {
  const std::string text = "{\"a\\u00e9\\n\":[1.5e+3,true,false,null,{\"\xC3\xA9\":\"\xF0\x9F\x98\x80\"}],\"b\":\"\"}";
  REQUIRE(accepts(text));
  for (std::size_t length = 0; length < text.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(accepts(text.substr(0, length)));
  }
}

TEST_CASE("json: every control byte in a string is refused, and every other ASCII byte accepted") {
  for (int byte = 0; byte < 0x80; ++byte) {
    CAPTURE(byte);
    const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
    CHECK(accepts(in_quotes(std::string(1, static_cast<char>(byte)))) == plain);
  }
}

TEST_CASE("json: of all letters after a backslash, eight and a whole \\u are escapes") {
  for (int byte = 0; byte < 0x100; ++byte) {
    CAPTURE(byte);
    const char c = static_cast<char>(byte);
    const bool known = c != '\0' && std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    CHECK(accepts(in_quotes(std::string("\\") + c)) == known);
  }
}

TEST_CASE("json: a depth of 512 is accepted and one of 513 refused, in arrays, objects and both") {
  const std::string arrays = repeated("[", 512) + repeated("]", 512);
  const std::string objects = repeated("{\"a\":", 511) + "{}" + repeated("}", 511);
  const std::string mixed = repeated("{\"a\":[", 256) + repeated("]}", 256);
  for (const std::string& text : {arrays, objects, mixed}) {
    CHECK(accepts(text));
    CHECK_FALSE(accepts("[" + text + "]"));
    CHECK_FALSE(accepts("{\"a\":" + text + "}"));
  }
}

TEST_CASE("json: the depth counts what is open, not what was opened") {
  CHECK(accepts("[" + repeated("[[]],", 10'000) + "0]"));
}

TEST_CASE("json: a body of a million open brackets costs no stack") {
  const std::optional<JsonError> error = scan_json(std::string(1'000'000, '['));
  REQUIRE(error.has_value());
  CHECK(error->byte == 512);
  CHECK(error->what == std::string_view("nested deeper than 512"));
}

struct ErrorCase {
  std::string text;
  std::size_t byte;
  const char* what;
};

TEST_CASE("json: an error says what is wrong and at which byte") {
  const std::vector<ErrorCase> cases = {
      {"", 0, "the text is empty"},
      {"\xEF\xBB\xBF{}", 0, "a byte order mark is not allowed"},
      {"   ", 3, "the text ends too early"},
      {"{\"a\":1", 6, "the text ends too early"},
      {"{\"a", 3, "the text ends too early"},
      {"{} x", 3, "more text after the value"},
      {"{\"a\":1 \"b\":2}", 7, "expected ',' or '}'"},
      {"[1 2]", 3, "expected ',' or ']'"},
      {"{\"a\" 1}", 5, "expected ':'"},
      {"{a:1}", 1, "expected a member's name"},
      {"{\"a\":1,}", 7, "expected a member's name"},
      {"[1,]", 3, "expected a value"},
      {"nope", 0, "expected a value"},
      {"[01]", 2, "a number can't begin with 0 and another digit"},
      {"[-x]", 2, "a number needs a digit here"},
      {"[1.x]", 3, "a number needs a digit here"},
      {"[1e+x]", 4, "a number needs a digit here"},
      {"[\"ab\ncd\"]", 4, "a control character in a string must be escaped"},
      {"[\"ab\\q\"]", 4, "unknown escape"},
      {"[\"ab\\u12G4\"]", 4, "\\u needs four hexadecimal digits"},
      {"[\"ab\xFF\"]", 4, "not valid UTF-8"},
      {"{\"key\":\"caf\xE9\"}", 11, "not valid UTF-8"},
  };
  for (const ErrorCase& one : cases) {
    CAPTURE(one.text);
    const std::optional<JsonError> error = scan_json(one.text);
    REQUIRE(error.has_value());
    CHECK(error->byte == one.byte);
    CHECK(error->what == std::string_view(one.what));
  }
}

TEST_CASE("json: the first of several errors is the one told") {
  CHECK(scan_json("[01, \xFF]")->byte == 2);
  CHECK(scan_json("[\"\xFF\", 01]")->byte == 2);
}

TEST_CASE("json: a value's first byte tells objects and strings apart") {
  CHECK(is_json_object(" \t\r\n{}"));
  CHECK_FALSE(is_json_object("[{}]"));
  CHECK_FALSE(is_json_object("\"{}\""));
  CHECK_FALSE(is_json_object(""));
  CHECK_FALSE(is_json_object("  "));
  CHECK(is_json_string("\"\""));
  CHECK_FALSE(is_json_string("1"));
  CHECK_FALSE(is_json_string("null"));
  CHECK_FALSE(is_json_string(""));
}

}  // namespace
}  // namespace leadline
