//! What an expression gives, and what it refuses.

use super::*;

#[test]
fn the_known_part_gives_what_mysql_gives() {
    for (expression, want) in [
        ("1 + 2 * 3 - -4", "11"),
        ("CONCAT('a', 1, 'b''c')", "a1b'c"),
        ("IFNULL(NULL, 'x')", "x"),
        ("ifnull('y', 'x')", "y"),
        ("LEFT('销售出库单', 2)", "销售"),
        ("RIGHT(\"abc\", 2)", "bc"),
        ("CASE WHEN 1 = 2 THEN 'a' WHEN 2 >= 2 AND NOT 0 THEN 'b' ELSE 'c' END", "b"),
        ("CASE 'C' WHEN 'B' THEN 1 WHEN 'C' THEN 2 END", "2"),
        ("IF(3 <> 3 OR NULL, 'a', 'b')", "b"),
        ("LOCATE('库', '销售出库单')", "4"),
        ("CHAR_LENGTH('单据')", "2"),
        ("TRIM('  x ')", "x"),
        ("FROM_UNIXTIME(1700000000 - 3600)", "2023-11-15 05:13:20"),
        ("CONCAT(\"FCreateDate>='\", FROM_UNIXTIME(1700000000), \"'\")", "FCreateDate>='2023-11-15 06:13:20'"),
    ] {
        assert_eq!(evaluate(expression, 480).unwrap(), want, "{expression}");
    }
}

#[test]
fn what_would_be_a_guess_is_refused_by_name() {
    for (expression, word) in [
        ("SUM(1)", "SUM"),
        ("FORMAT_DATE(1, 'yyyy')", "FORMAT_DATE"),
        ("CONCATT('a')", "CONCAT"),
        ("7 / 2", "/"),
        ("1.5 + 1", "fractions"),
        ("'a' = 'A'", "collation"),
        ("'a' < 'b'", "collation"),
        ("1 = '1'", "one kind"),
        ("'a\\'b'", "backslash"),
        ("'a", "not closed"),
        ("LEFT('a'", "missing"),
        ("1 1", "after a complete"),
        ("NULL", "NULL"),
        ("9223372036854775807 + 1", "range"),
        ("FROM_UNIXTIME(1700000000000000)", "moment"),
        ("IFNULL(1)", "does not take"),
        ("", "too early"),
    ] {
        let e = evaluate(expression, 480).unwrap_err().to_string();
        assert!(e.contains(word), "{expression}: {e}");
    }
    assert!(evaluate(&"(".repeat(5000), 0).unwrap_err().to_string().contains("deeply"));
}

#[test]
fn a_body_reckons_in_decimals_and_knows_more_functions() {
    for (expression, want) in [
        ("0.1 + 0.2", "0.3"),
        ("12345678901234567.8901 * 1", "12345678901234567.8901"),
        ("7 / 2", "3.5"),
        ("ROUND(10 / 3, 2)", "3.33"),
        ("ROUND(2.5)", "3"),
        ("ROUND(-2.5)", "-3"),
        ("ABS(0 - 1.50)", "1.50"),
        ("IF(100.00 > 99.99, 'a', 'b')", "a"),
        ("SUBSTRING('销售出库单', 3, 2)", "出库"),
        ("SUBSTR('abcdef', -2)", "ef"),
        ("REPLACE('A-B-C', '-', '')", "ABC"),
        ("UPPER(CONCAT('x', 1))", "X1"),
        ("DATE_FORMAT('2026-01-02T03:04:05', '%Y/%m/%d %H:%i')", "2026/01/02 03:04"),
        ("DATE_FORMAT('2026-01-02T03:04:05', '%c-%e %k %j')", "1-2 3 002"),
        ("FROM_UNIXTIME( ( 1700000000123 / 1000 ) ,'%Y-%m-%d %T' )", "2023-11-15 06:13:20"),
        ("UNIX_TIMESTAMP('2023-11-15 06:13:20')", "1700000000"),
    ] {
        assert_eq!(compute(expression, 480).unwrap().as_deref(), Some(want), "{expression}");
    }
    assert_eq!(compute("NULL", 0), Ok(None));
    assert_eq!(compute("IFNULL(1 / 0, 0)", 0), Ok(Some("0".to_owned())));
    assert_eq!(compute("IF(6 / 0 > 1, 'a', 'b')", 0), Ok(Some("b".to_owned())), "NULL is no truth");
}

#[test]
fn what_a_body_cannot_hold_is_said() {
    for (expression, word) in [
        ("10 / 3", "ROUND"),
        ("1 / 0", "zero"),
        ("ROUND(CONCAT('1', 7 / (3 - 3)) , 2)", "zero"),
        ("1234567890123456789012345678901234567890 + 1", "too large"),
        ("DATE_FORMAT('soon', '%Y')", "soon"),
        ("DATE_FORMAT('2026-01-02', '%W')", "2026-01-02"),
        ("ROUND(1.5, 11)", "does not take"),
        ("SUM(1)", "SUM"),
        ("79228162514264337593543950335 * 10", "range"),
    ] {
        let said = compute(expression, 480).unwrap_err().to_string();
        assert!(said.contains(word), "{expression}: {said}");
    }
}
