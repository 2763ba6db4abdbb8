/* json_number.c - numbers: JSON digits to integers and doubles, doubles to ECMAScript's shortest form. */
#include "json_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * No decimal of more digits than this, then one more that is not zero, rounds differently from the exact
 * one.
 */
#define MAX_DIGITS 780
#define EXPONENT_LIMIT 1000000000

static inline bool
is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

bool
json_number_scan(const char **at, const char *end, JsonNumber *number)
{
	const char *p = *at;

	number->negative = p < end && *p == '-';
	if (number->negative)
		p++;
	number->integer = p;
	if (!is_digit(p, end))
		return false;
	if (*p == '0')
		p++;
	else
		while (is_digit(p, end))
			p++;
	number->integer_digits = (size_t) (p - number->integer);
	number->fraction = p;
	number->fraction_digits = 0;
	number->exponent = 0;
	if (p < end && *p == '.')
	{
		number->fraction = ++p;
		while (is_digit(p, end))
			p++;
		number->fraction_digits = (size_t) (p - number->fraction);
		if (number->fraction_digits == 0)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool	negative = false;
		int32_t exponent = 0;

		p++;
		if (p < end && (*p == '+' || *p == '-'))
			negative = *p++ == '-';
		if (!is_digit(p, end))
			return false;
		for (; is_digit(p, end); p++)
			if (exponent < EXPONENT_LIMIT / 10)
				exponent = exponent * 10 + (*p - '0');
		number->exponent = negative ? -exponent : exponent;
	}
	if (is_digit(p, end)) /* 01 */
		return false;
	*at = p;
	return true;
}

/*
 * The digits without leading zeros, at most MAX_DIGITS and a 1 for all that are cut off; value = digits
 * * 10^*exponent.
 */
static size_t
significant(const JsonNumber *number, char *digits, int64_t *exponent)
{
	size_t total = number->integer_digits + number->fraction_digits;
	size_t count = 0;
	size_t i;
	bool   more = false;

	*exponent = (int64_t) number->exponent - (int64_t) number->fraction_digits;
	for (i = 0; i < total; i++)
	{
		char digit =
			i < number->integer_digits ? number->integer[i] : number->fraction[i - number->integer_digits];

		if (count == 0 && digit == '0')
			continue;
		if (count < MAX_DIGITS)
			digits[count++] = digit;
		else
		{
			more = more || digit != '0';
			++*exponent;
		}
	}
	if (more)
	{
		digits[count++] = '1';
		--*exponent;
	}
	return count;
}

bool
json_number_integer(const JsonNumber *number, int64_t *out)
{
	char	digits[MAX_DIGITS + 1];
	int64_t exponent;
	int64_t value = 0;
	size_t	count;
	size_t	i;

	if (number->fraction_digits == 0 && number->exponent == 0 && number->integer_digits <= 16)
	{
		for (i = 0; i < number->integer_digits; i++)
			value = value * 10 + (number->integer[i] - '0');
		*out = number->negative ? -value : value;
		return value <= JSON_MAX_INTEGER;
	}
	count = significant(number, digits, &exponent);
	while (count > 0 && digits[count - 1] == '0')
	{
		count--;
		exponent++;
	}
	if (count == 0)
	{
		*out = 0;
		return true;
	}
	if (exponent < 0 || exponent + (int64_t) count > 16)
		return false;
	for (i = 0; i < count; i++)
		value = value * 10 + (digits[i] - '0');
	for (; exponent > 0; exponent--)
		value *= 10;
	*out = number->negative ? -value : value;
	return value <= JSON_MAX_INTEGER;
}

/* digits * 10^exponent as a double. Without a decimal point strtod is the same in every locale. */
static double
from_digits(char *digits, size_t count, int64_t exponent)
{
	/* exact in doubles: one rounding, so the result is the nearest (Clinger) */
	static const double power[] = {1e0,	 1e1,  1e2,	 1e3,  1e4,	 1e5,  1e6,	 1e7,  1e8,	 1e9,  1e10, 1e11,
								   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

	if (count <= 15 && exponent >= -22 && exponent <= 22)
	{
		double value = 0;
		size_t i;

		for (i = 0; i < count; i++)
			value = value * 10 + (digits[i] - '0');
		return exponent < 0 ? value / power[-exponent] : value * power[exponent];
	}
	if (exponent > 400)
		exponent = 400;
	if (exponent < -2000) /* even MAX_DIGITS digits are zero then */
		exponent = -2000;
	snprintf(digits + count, 8, "e%d", (int) exponent);
	return strtod(digits, NULL);
}

bool
json_number_double(const JsonNumber *number, double *out)
{
	char	digits[MAX_DIGITS + 16];
	int64_t exponent;
	size_t	count = significant(number, digits, &exponent);
	double	value = count == 0 ? 0 : from_digits(digits, count, exponent);

	*out = number->negative ? -value : value;
	return !isinf(value);
}

/*
 * The decimal of `precision` digits that is nearest to value: digits and decimal exponent of the first
 * one.
 */
static void
nearest_decimal(double value, int precision, char *digits, int *exponent)
{
	char		text[48];
	const char *at;
	int			count = 0;

	snprintf(text, sizeof(text), "%.*e", precision - 1, value);
	for (at = text; *at != 'e' && *at != '\0'; at++)
		if (*at >= '0' && *at <= '9') /* what stands between them is the locale's decimal point */
			digits[count++] = *at;
	*exponent = *at == 'e' ? atoi(at + 1) : 0;
}

static bool
reads_back(double value, const char *digits, int precision, int exponent)
{
	char text[48];

	memcpy(text, digits, (size_t) precision);
	return from_digits(text, (size_t) precision, exponent - (precision - 1)) == value;
}

/* Adds one in the last place; false if that needs another digit. */
static bool
next_decimal(char *digits, int precision)
{
	int i;

	for (i = precision - 1; i >= 0; i--)
	{
		if (digits[i] != '9')
		{
			digits[i]++;
			return true;
		}
		digits[i] = '0';
	}
	return false;
}

/* The shortest digits that read back as value (> 0, finite); of several the nearest. Returns how many. */
static int
shortest_decimal(double value, char *digits, int *exponent)
{
	/*
	 * 15 digits survive the way through a normal double, so nothing shorter needs to be tried; zeros go
	 * off the end
	 */
	int	 precision = value < 2.3e-308 ? 1 : 15;
	int	 mantissa_exponent;
	bool power_of_two = frexp(value, &mantissa_exponent) == 0.5;

	for (; precision < 17; precision++)
	{
		nearest_decimal(value, precision, digits, exponent);
		if (reads_back(value, digits, precision, *exponent))
			break;

		/*
		 * above a power of two doubles are wider apart than below: the next decimal may do where the
		 * nearest does not
		 */
		if (power_of_two && next_decimal(digits, precision) && reads_back(value, digits, precision, *exponent))
			break;
	}
	if (precision == 17)
		nearest_decimal(value, precision, digits, exponent);
	while (precision > 1 && digits[precision - 1] == '0')
		precision--;
	return precision;
}

static size_t
put_integer(uint64_t value, char *to)
{
	char   reversed[20];
	size_t count = 0;
	size_t i;

	do
	{
		reversed[count++] = (char) ('0' + value % 10);
		value /= 10;
	} while (value != 0);
	for (i = 0; i < count; i++)
		to[i] = reversed[count - 1 - i];
	return count;
}

/* Number::toString (ECMA-262), steps named as there: k digits, value = 0.digits * 10^n. */
static size_t
put_decimal(const char *digits, int k, int n, char *to)
{
	char *start = to;

	if (k <= n && n <= 21) /* 1230000 */
	{
		memcpy(to, digits, (size_t) k);
		memset(to + k, '0', (size_t) (n - k));
		return (size_t) n;
	}
	if (0 < n && n <= 21) /* 12.3 */
	{
		memcpy(to, digits, (size_t) n);
		to[n] = '.';
		memcpy(to + n + 1, digits + n, (size_t) (k - n));
		return (size_t) (k + 1);
	}
	if (-6 < n && n <= 0) /* 0.00123 */
	{
		memcpy(to, "0.", 2);
		memset(to + 2, '0', (size_t) -n);
		memcpy(to + 2 - n, digits, (size_t) k);
		return (size_t) (2 - n + k);
	}
	*to++ = digits[0]; /* 1.23e+45 */
	if (k > 1)
	{
		*to++ = '.';
		memcpy(to, digits + 1, (size_t) (k - 1));
		to += k - 1;
	}
	*to++ = 'e';
	*to++ = n > 0 ? '+' : '-';
	to += put_integer((uint64_t) (n > 0 ? n - 1 : 1 - n), to);
	return (size_t) (to - start);
}

size_t
json_number_print(double value, char *to)
{
	char   digits[24];
	size_t sign = 0;
	int	   exponent;
	int	   count;

	if (value < 0)
	{
		*to++ = '-';
		sign = 1;
		value = -value;
	}
	if (value <= (double) JSON_MAX_INTEGER && value == (double) (uint64_t) value)
		return sign + put_integer((uint64_t) value, to);
	count = shortest_decimal(value, digits, &exponent);
	return sign + put_decimal(digits, count, exponent + 1, to);
}
